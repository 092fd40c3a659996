/** Which plots there are, and what each shows. */
import type { SampleField } from '../src/daemon/dashboard/sample.ts'

const GIB = 2 ** 30

interface Line {
  readonly name: SampleField
  readonly label: string
  readonly scale: number
}
export interface PlotPlan {
  readonly title: string
  readonly unit: string
  /** Of what ended between two looks, often nothing: dots say more than lines. `steps`: of what is counted. */
  readonly drawn?: 'dots' | 'steps'
  readonly lines: readonly Line[]
}

export const plans: readonly PlotPlan[] = [
  {
    title: 'Memory against the budget',
    unit: 'GiB',
    lines: [
      { name: 'footprintBytes', label: 'Taken', scale: 1 / GIB },
      { name: 'budgetBytes', label: 'Budget', scale: 1 / GIB },
      { name: 'availableBytes', label: 'Free on the machine', scale: 1 / GIB },
    ],
  },
  {
    title: 'Speed',
    unit: 'tokens/s',
    drawn: 'dots',
    lines: [
      { name: 'generatedPerSecond', label: 'Generated', scale: 1 },
      { name: 'promptPerSecond', label: 'Prompt', scale: 1 },
    ],
  },
  {
    title: 'Time to the first byte',
    unit: 's',
    drawn: 'dots',
    lines: [{ name: 'firstByteMs', label: 'Mean', scale: 1 / 1000 }],
  },
  {
    title: 'Requests',
    unit: '',
    drawn: 'steps',
    lines: [
      { name: 'inFlight', label: 'With the engine', scale: 1 },
      { name: 'waiting', label: 'Waiting', scale: 1 },
    ],
  },
  {
    title: 'Swap in use',
    unit: 'GiB',
    lines: [{ name: 'swapUsedBytes', label: 'Swap', scale: 1 / GIB }],
  },
  {
    title: 'Memory of the GPU',
    unit: 'GiB',
    lines: [{ name: 'gpuUsedBytes', label: 'Used', scale: 1 / GIB }],
  },
  {
    title: 'GPU busy',
    unit: '%',
    lines: [{ name: 'gpuUtilisation', label: 'Busy', scale: 100 }],
  },
]

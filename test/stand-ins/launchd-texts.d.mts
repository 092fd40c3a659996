/** As much of a job of the stand-in as its texts show. */
export interface PrintedJob {
  readonly label: string
  readonly domain: string
  readonly path: string
  readonly state: string
  readonly runs: number
  readonly successiveCrashes: number
  readonly child: { readonly pid: number } | null
  readonly lastExit: number | null
  readonly lastSignal: string | null
  readonly penaltyBox: boolean
  readonly plist: Readonly<Record<string, unknown>>
}

export function printService(job: PrintedJob): string
export function printDomain(
  domain: string,
  jobs: readonly PrintedJob[],
  onDemandOnly: boolean,
): string
export function printTable(jobs: readonly PrintedJob[]): string
export function printListed(job: PrintedJob): string

/** What can be known of the speed of a machine and a model without measuring. Pure. */
import type { Config } from '../../config/config.ts'
import type { Paths } from '../../config/paths.ts'
import { llamaOptions } from '../../daemon/engine-settings.ts'
import { cellBytes } from '../../llama/need/kv-cache.ts'
import { readLaunchSettings } from '../../llama/need/launch-settings.ts'
import { shapeOf } from '../../llama/need/model-shape.ts'
import { serverArgs } from '../../llama/server-args.ts'
import type { GgufHeader } from '../../model/gguf-header.ts'
import { chipMemory, publishedSpeeds } from './chips.ts'
import type { BenchFigures } from './figures.ts'
import { bytesPerToken } from './roofline.ts'
import type { Known } from './verdict.ts'

/** Of the chip and the model of this machine. */
export function whatIsKnown(
  paths: Paths,
  config: Config,
  { chip, cores }: BenchFigures['machine'],
  header: GgufHeader,
): Known {
  const memory = chipMemory(chip, cores)
  const published = publishedSpeeds(chip)
  const found = shapeOf(header)
  const experts = header.numbers.get('gpt-oss.expert_count')
  // Its files and context are beside the point: only how it keeps keys and values counts.
  const options = llamaOptions(config, paths, { engineFile: '', modelFile: '', contextTokens: 0 })
  const settings = readLaunchSettings(serverArgs(options))
  const cell = found.kind === 'known' ? cellBytes(found.shape, settings) : null
  if (found.kind !== 'known' || cell === null || typeof experts !== 'number') {
    return { memory, published, bytesAt: null }
  }
  const bytesAt: Known['bytesAt'] = (depth) => bytesPerToken(found.shape, experts, cell, depth)
  return { memory, published, bytesAt }
}

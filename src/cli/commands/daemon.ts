/** `oss20bd daemon`: runs in the foreground; what launchd, systemd and `oss20bd start` run. */
import { defineCommand } from '../command.ts'
import { ownVersion } from '../context.ts'

export const command = defineCommand({
  options: {
    background: {
      type: 'boolean',
      default: false,
      describe: 'Log to files only (used by oss20bd start)',
    },
  },
  async run(args, context) {
    const { runDaemon } = await import('../../daemon/main.ts')
    const status = await runDaemon({
      configFile: context.configFile,
      flags: context.flags,
      foreground: !args.background,
      version: ownVersion(),
    })
    return status === 0 ? 0 : 1
  },
})

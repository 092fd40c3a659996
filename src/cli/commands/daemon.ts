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
    service: {
      type: 'boolean',
      default: false,
      describe:
        'As --background, and stay when it cannot run, saying why (used by launchd, systemd)',
    },
  },
  async run(args, context) {
    const { runDaemon } = await import('../../daemon/main.ts')
    const status = await runDaemon({
      configFile: context.configFile,
      flags: context.flags,
      foreground: !args.background && !args.service,
      service: args.service,
      version: ownVersion(),
    })
    return status === 0 ? 0 : 1
  },
})

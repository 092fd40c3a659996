/** The values by key to the Config that the parts are given. Pure. */
import type { Config } from './config.ts'
import type { SettingValues } from './schema.ts'

export function toConfig(values: SettingValues): Config {
  return {
    model: {
      path: values['model.path'],
      alias: values['model.alias'],
      contextTokens: values['model.contextTokens'],
      slots: values['model.slots'],
      cacheType: values['model.cacheType'],
      promptCacheBytes: values['model.promptCache'],
    },
    engine: {
      path: values['engine.path'],
      extraArgs: values['engine.extraArgs'],
      startTimeoutMs: values['engine.startTimeout'],
      drainTimeoutMs: values['engine.drainTimeout'],
      exitGraceMs: values['engine.exitGrace'],
      termGraceMs: values['engine.termGrace'],
    },
    restart: restartOf(values),
    health: healthOf(values),
    power: { keepAwake: values['power.keepAwake'] },
    notify: { desktop: values['notify.desktop'] },
    idle: { unloadAfterMs: values['idle.unloadAfter'] },
    proxy: proxyOf(values),
    memory: memoryOf(values),
    log: {
      level: values['log.level'],
      maxBytes: values['log.maxSize'],
      keep: values['log.keep'],
    },
  }
}

function restartOf(values: SettingValues): Config['restart'] {
  return {
    baseDelayMs: values['restart.baseDelay'],
    maxDelayMs: values['restart.maxDelay'],
    windowMs: values['restart.window'],
    safeModeAfter: values['restart.safeModeAfter'],
    giveUpAfter: values['restart.giveUpAfter'],
  }
}

function healthOf(values: SettingValues): Config['health'] {
  return {
    hangTimeoutMs: values['health.hangTimeout'],
    scrapeIntervalMs: values['health.scrapeInterval'],
    canaryTimeoutMs: values['health.canaryTimeout'],
    canaryIntervalMs: values['health.canaryInterval'],
    wakeGapMs: values['health.wakeGap'],
  }
}

function proxyOf(values: SettingValues): Config['proxy'] {
  return {
    host: values['proxy.host'],
    port: values['proxy.port'],
    alsoListen: [...new Set(values['proxy.alsoListen'])],
    holdTimeoutMs: values['proxy.holdTimeout'],
    allowedHosts: values['proxy.allowedHosts'],
    allowedOrigins: values['proxy.allowedOrigins'],
    aliases: values['proxy.aliases'],
    continueStreams: values['proxy.continueStreams'],
    limits: {
      queued: values['proxy.maxQueued'],
      keepBytes: values['proxy.keepSize'],
      heldBytes: values['proxy.heldSize'],
      bodyBytes: values['proxy.maxBodySize'],
      uploadTimeoutMs: values['proxy.uploadTimeout'],
      headersTimeoutMs: values['proxy.headersTimeout'],
      connections: values['proxy.maxConnections'],
    },
  }
}

function memoryOf(values: SettingValues): Config['memory'] {
  return {
    budgetBytes: values['memory.budget'],
    reserveBytes: values['memory.reserve'],
    tightAfterMs: values['memory.tightAfter'],
    criticalAfterMs: values['memory.criticalAfter'],
    calmAfterMs: values['memory.calmAfter'],
    stepEveryMs: values['memory.stepEvery'],
    swapOutBytesPerSecond: values['memory.swapOutRate'],
    stalledPercent: values['memory.stalledPercent'],
    leakMarginBytes: values['memory.leakMargin'],
  }
}

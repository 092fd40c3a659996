/** Five bad hours in the life of a 32 GiB Mac. Times in seconds, `world` as createMac takes it. */
import { GIB, MIB } from './units.mjs'

const APPS_BYTES = 6 * GIB

export const TRACES = [
  {
    name: 'second-app',
    title: 'A second app takes 16 GiB within a minute and quits six minutes later',
    seconds: 900,
    world: (at) => ({ appsBytes: APPS_BYTES + 16 * GIB * (at < 480 ? ramp(at, 60, 120) : 0) }),
    busy: (at) => at > 30 && at < 130,
  },
  {
    name: 'leak',
    title: 'The engine leaks 6 MiB a second and is idle for 20 s of each minute',
    seconds: 1200,
    world: () => ({ appsBytes: APPS_BYTES, leakBytesPerSecond: 6 * MIB }),
    busy: (at) => at % 60 < 40,
  },
  {
    name: 'stuck-pressure',
    title: 'The pressure level stays at warning for 50 minutes, as on many working Macs',
    seconds: 3600,
    world: (at) => ({
      appsBytes: APPS_BYTES,
      pressure: at >= 120 && at < 3120 ? 'warning' : 'normal',
    }),
    busy: (at) => at % 90 < 45,
  },
  {
    name: 'swap-storm',
    title: 'Other apps begin to swap, then storm, then rest',
    seconds: 1200,
    world: (at) => ({
      appsBytes: APPS_BYTES + 7 * GIB * (at < 420 ? ramp(at, 60, 150) : 0),
      swapOutBytesPerSecond:
        at >= 60 && at < 240 ? 30 * MIB : at >= 240 && at < 420 ? 120 * MIB : 0,
    }),
    busy: () => false,
  },
  {
    name: 'disk-full',
    title: 'A download fills the disk of a Mac that needs it for swap; at 12 min it is deleted',
    seconds: 1200,
    world: (at) => ({
      appsBytes: APPS_BYTES + 5.8 * GIB * (at < 720 ? ramp(at, 360, 540) : 0),
      freeDiskBytes: at < 720 ? Math.max(0.4, 60 - at / 8.5) * GIB : 60 * GIB,
    }),
    busy: (at) => at % 60 < 50,
  },
]

/** 0 before `from`, 1 after `to`. */
function ramp(at, from, to) {
  return Math.min(1, Math.max(0, (at - from) / (to - from)))
}

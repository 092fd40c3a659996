/** What real systems wrote about deaths, word for word save for what the names say. */

/** macOS 26.6, trimmed by who published it: one process killed, one not. */
export const jetsamTrimmed = `{"bug_type":"298","timestamp":"2026-09-29 17:13:21.00 +0530","os_version":"macOS 26.6 (25G72)"}
{
  "product" : "Mac17,3",
  "largestProcess" : "sd-server",
  "processes" : [
    { "name" : "corebrightnessd", "pid" : 398, "lifetimeMax" : 472 },
    { "name" : "spotlightknowledged", "pid" : 73341, "reason" : "per-process-limit", "killDelta" : 38175 }
  ]
}
`

/** macOS 26.3.1: the key fields as somebody pasted them, cut short. */
export const jetsamPasted = `  {
    "bug_type": "298",
    "timestamp": "2026-04-10 05:05:26.00 -0500",
    "os_version": "macOS 26.3.1 (25D2128)",
    "largestProcess": "Python",
    "memoryStatus": {
      "compressorSize": 7365318,
      "zoneMapCap": 34359738368,
      "pageSize": 16384,
      "memoryPages": {
        "active":     4483329,
`

/** macOS 15.5: pasted with notes, no JSON any more. */
export const jetsamNoted = `"largestProcess": "node",
"memoryStatus": {
  "compressorSize": 541951,
  "memoryPages": {
    "free": 4275,          // ~70 MB free on 8 GB box
`

/** macOS 26.5, trimmed by its author to what he read. */
export const crashTrimmed = `{"app_name":"yz_crash","timestamp":"2026-06-11 15:02:29.00 +0100","bug_type":"309","os_version":"macOS 26.5 (25F71)","incident_id":"00000000-0000-0000-0000-000000000000","name":"yz_crash"}
{
  "pid" : 55982,
  "procName" : "yz_crash",
  "procPath" : "\\/private\\/tmp\\/yz_crash",
  "parentProc" : "zsh",
  "exception" : {"codes":"0x0000000000000001, 0x0000000000000000","type":"EXC_BAD_ACCESS","signal":"SIGSEGV","subtype":"KERN_INVALID_ADDRESS at 0x0000000000000000"},
  "termination" : {"flags":0,"code":11,"namespace":"SIGNAL","indicator":"Segmentation fault: 11"},
  "faultingThread" : 0,
  "threads" : [{"triggered":true,"id":893249,"frames":[{"imageOffset":832,"symbol":"main","imageIndex":0},{"imageOffset":130560,"symbol":"start","imageIndex":1}]}],
  "usedImages" : [
    {"arch":"arm64","base":4342841344,"name":"yz_crash","path":"\\/private\\/tmp\\/yz_crash","uuid":"59df683a-da77-31c4-9b11-4d818c8eee70"},
    {"arch":"arm64e","base":6553649152,"name":"dyld","path":"\\/usr\\/lib\\/dyld"}
  ]
}
`

/** A Mac whose disk was full. */
export const lowSwapLog = `2026-07-06 16:47:11.978328-1000 kernel: low swap: failed to create swapfile
2026-07-06 16:47:11.978329-1000 kernel: low swap: failed to create swapfile
2026-07-06 16:50:28.836789-1000 kernel: low swap: triggering no paging space action
2026-07-06 16:50:29.725321-1000 kernel: vnode_setsize for swap files failed: 28
2026-07-06 16:50:29.725348-1000 kernel: low swap: failed to create swapfile
`

/** The messages of a death by compressor exhaustion, macOS 15.6.1; their prefixes were not kept. */
export const unhealthyFragments = `System is unhealthy. memorystatus_available_pages: 1072819 compressor_size:1610187
{"compressor_exhausted": 1, "zone_map_is_exhausted": 0, "swap_low": 0, "swap_exhausted": 0}
triggering no paging space action
failed to kill a process and no memory was reclaimed
killing due to "vm-compressor-space-shortage" - compression_ratio=5
`

/** Compact style: no zone. Published as test data. */
export const memorystatusCompact = `2026-09-28 16:10:17.591 Df kernel[0:1cd] [com.apple.xnu:memorystatus] memorystatus: killing_idle_process pid 386 [wallpaperexportd] jetsam_reason->osr_code: 9
2026-09-28 16:12:02.114 Df kernel[0:1cd] [com.apple.xnu:memorystatus] memorystatus: killing_top_process pid 901 [node] jetsam_reason->osr_code: 2
2026-09-28 16:12:09.020 Df kernel[0:1cd] [com.apple.xnu:memorystatus] memorystatus: killing_specific_process pid 915 [swift-build] (per-process-limit 14)
`

/** From iOS, whose kernel has the same texts. */
export const perProcessLimit = `kernel  memorystatus: KeyboardSpike [994] exceeded mem limit: ActiveHard 77 MB (fatal)
kernel  memorystatus: killing process 994 [KeyboardSpike] in high band FOREGROUND (100) - memorystatus_available_pages: 113991
kernel  memorystatus: killing_specific_process pid 994 [KeyboardSpike] (per-process-limit 100 12s rf:- type:app) 78850KB - memorystatus_available_pages: 114015
ReportSystemMemory  Process KeyboardSpike [994] killed by jetsam reason per-process-limit
`

/** One entry of \`log show --style ndjson\`, macOS 26.5, and the count at its end. */
export const launchdNdjson = `{"messageType":"Default","subsystem":"system\\/com.apple.threadradiod [2699]","processImagePath":"\\/sbin\\/launchd","timestamp":"2026-06-09 16:03:20.238403+0100","eventMessage":"exited due to exit(1), ran for 2761ms","processID":1}
{"count":1,"finished":1}
`

/** Ours, Linux 6.18: a process over the limit of its control group, and four crashes, as dmesg prints them. */
export const dmesgDeaths = `[ 6444.287473] __vm_enough_memory: pid: 11549, comm: llama-server, bytes: 25600004096 not enough memory for the allocation
[18400.481537] llama-server[30908]: segfault at 10 ip 0000561672ed23b1 sp 00007ffe267b3d40 error 6 in llama-server[23b1,561672ed2000+1000] likely on CPU 0 (core 0, socket 0)
[18400.481590] Code: e8 f4 fc ff ff 83 45 ec 01 eb d6 48 8d 45 b0 48 8d 15 88 0c 00 00 48 89 d6 48 89 c7 e8 da 05 00 00 84 c0 74 0b b8 10 00 00 00 <c7> 00 01 00 00 00 48 8d 45 b0
[18400.485447] llama-server[30910]: segfault at 10 ip 0000563b4480d2e7 sp 00007f5b0ab3ce18 error 6 in llama-server[22e7,563b4480d000+1000] likely on CPU 0 (core 0, socket 0)
[18400.487992] traps: llama-server[30911] trap invalid opcode ip:55cb50776416 sp:7ffe1b0a94f0 error:0 in llama-server[2416,55cb50776000+1000]
[18401.725068] Tasks state (memory values in pages):
[18401.725115] [  30985]     0 30985    17863    17015    16384      631         0   180224        0             0 llama-server
[18401.725121] oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/h-host-oom,task_memcg=/h-host-oom,task=llama-server,pid=30985,uid=0
[18401.725153] Memory cgroup out of memory: Killed process 30985 (llama-server) total-vm:71452kB, anon-rss:65536kB, file-rss:2524kB, shmem-rss:0kB, UID:0 pgtables:176kB oom_score_adj:0
`

/** The group of that death, before and after; and where this machine keeps it. */
export const oomControlBefore = 'oom_kill_disable 0\nunder_oom 0\noom_kill 0\n'
export const oomControlAfter = 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n'
export const hybridGroups = `9:name=systemd:/
8:pids:/
4:memory:/process_api/19aafb1e
1:cpu:/
0::/
`

/** github.com/systemd/systemd/issues/23606 and github.com/rfjakob/earlyoom/issues/121, with the stamps of short-iso. */
export const oomd = `2023-12-18T19:34:56+0000 user-desktop systemd-oomd[840]: Killed /user.slice/user-1001.slice/user@1001.service/app.slice/oss20bd.service due to memory pressure for /user.slice/user-1001.slice/user@1001.service being 51.07% > 50.00% for > 20s with reclaim activity
2023-12-18T19:34:56+0000 user-desktop systemd[1837]: oss20bd.service: systemd-oomd killed 12 process(es) in this unit.
`
export const earlyoom = `2019-04-28T01:23:30+0300 PC earlyoom[700]: low memory! at or below SIGTERM limits: mem 10 %, swap 10 %
2019-04-28T01:23:30+0300 PC earlyoom[700]: killing process 27541 "bash" with signal 15: badness 550, VmRSS 7609 MiB
`
export const oldKernelOom = `2019-04-28T01:23:30+0300 PC kernel: Out of memory: Kill process 27541 (bash) score 572 or sacrifice child
2019-04-28T01:23:30+0300 PC kernel: Killed process 27541 (bash) total-vm:8118236kB, anon-rss:8098448kB, file-rss:3264kB, shmem-rss:0kB
`

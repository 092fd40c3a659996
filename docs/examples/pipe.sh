#!/bin/sh
# Text goes in by the pipe, and the answer alone comes out: what the model thinks does not.
printf 'Disk /dev/disk3s5 is 97 %% full\nBackup failed: no space left\n' |
  oss20bd ask 'What is wrong, in one sentence?' --effort low |
  tr '[:lower:]' '[:upper:]'

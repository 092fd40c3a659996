/** A step as the lines a person reads. Pure. */
import type { Step } from './step.ts'

/** One line, in the words of a shell where there are such. */
export function stepLine(step: Step): string {
  switch (step.kind) {
    case 'make-folder':
      return `mkdir -p ${quote(step.path)}`
    case 'write-file':
      return `write ${quote(step.path)} (mode ${step.mode.toString(8).padStart(4, '0')})`
    case 'copy-program':
      return `copy the program ${quote(step.from)} to ${quote(step.to)}`
    case 'remove-file':
      return `rm -f ${quote(step.path)}`
    case 'remove-folder':
      return `rm -rf ${quote(step.path)}`
    case 'remove-empty-folder':
      return `rmdir ${quote(step.path)} (if it is empty)`
    case 'run':
      return `${step.command.map(quote).join(' ')}  # ${step.why}`
    case 'wait':
      return `${step.command.map(quote).join(' ')}  # until ${step.until}, at most ${step.limitMs / 1000} s`
    case 'hand-over':
      return `let the daemon that runs hand its port over: what is asked is held until the next one is up, at most ${step.limitMs / 1000} s`
    case 'end-background':
      return `end the daemon in the background (pid ${step.pid}), at most ${step.limitMs / 1000} s`
    case 'start-background':
      return 'start the daemon in the background again'
    case 'await-daemon':
      return `wait for the daemon to answer, at most ${step.limitMs / 1000} s`
  }
}

/** The text that is written, line by line; none for other steps. */
export function stepBody(step: Step): readonly string[] {
  return step.kind === 'write-file' ? step.text.replace(/\n$/, '').split('\n') : []
}

/** As a shell reads it back. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
}

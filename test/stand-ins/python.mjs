/**
 * Plays Python 3.13 for `oss20bd convert`: makes an environment of itself, installs nothing, and as upstream's
 * converter gives what lies prepared in the model's folder. SELF names the script that starts it.
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const args = process.argv.slice(2).filter((arg) => arg !== '-E' && arg !== '-s')

function after(name) {
  return args[args.indexOf(name) + 1] ?? ''
}

/** @param {string} line */
function say(line) {
  process.stdout.write(`${line}\n`)
}

if (args[0] === '-c') {
  say('python 3 13 venv')
} else if (after('-m') === 'venv') {
  const bin = join(after('venv'), 'bin')
  mkdirSync(bin, { recursive: true })
  copyFileSync(process.env.SELF, join(bin, 'python'))
} else if (after('-m') === 'pip') {
  const wanted = readFileSync(after('-r'), 'utf8').trim()
  say(`  Downloading ${wanted}-1.0-py3-none-any.whl (1.0 MB)`)
  if (wanted.includes('no-such')) {
    say(`ERROR: No matching distribution found for ${wanted}`)
    process.exit(1)
  }
} else {
  const [script = '', model = ''] = args
  if (!existsSync(script)) throw new Error(`there is no ${script}`)
  say('INFO:hf-to-gguf:output.weight, torch.bfloat16 --> X, shape = {2}')
  process.stdout.write('Writing:  60%|###\r')
  copyFileSync(join(model, `${after('--outtype')}.prepared`), after('--outfile'))
}

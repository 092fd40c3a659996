/** The lines by which llama-server refuses a model file. Pure. */
import { cannotLoad, type ExitMatcher, rebuildHint } from './exit-matcher.ts'

const getModel =
  'Run oss20bd up to get a model, or set model.path in the config to a whole GGUF file of gpt-oss-20b'

const missing = { cause: 'model-missing', permanent: true, hint: getModel } as const
const corrupt = { cause: 'model-corrupt', permanent: true, hint: getModel } as const
const legacy = { cause: 'model-legacy-format', permanent: true, hint: getModel } as const
const unreadable = {
  cause: 'unknown',
  permanent: false,
  hint: 'Check that the disk with the model is there and sound; it is tried again by itself',
} as const

/** In this order: the special before the general. */
export const modelMatchers: readonly ExitMatcher[] = [
  {
    ...missing,
    pattern:
      /failed to open GGUF file .*\((No such file.*|Not a directory|Permission denied|Operation not permitted|Is a directory|Too many levels.*|File name too long)\)/,
    message: cannotLoad('the file cannot be opened (%)'),
  },
  {
    ...unreadable,
    pattern: /failed to open GGUF file .*\((.+)\)/,
    message: cannotLoad('the file cannot be opened now (%)'),
  },
  {
    ...legacy,
    pattern: /invalid magic characters: '((?:tj|lm|fm|al)gg)'/,
    message: cannotLoad('it is in the GGML format from before August 2023, GGUF is needed'),
  },
  {
    ...legacy,
    pattern: /(GGUFv1) is no longer supported/,
    message: cannotLoad('it is GGUF version 1, version 2 or later is needed'),
  },
  {
    ...corrupt,
    pattern: /this GGUF file is version (\d+) but this software only supports/,
    message: cannotLoad('it is GGUF version %, which this llama-server does not know'),
    hint: rebuildHint,
  },
  {
    ...corrupt,
    pattern: /GGUF file version \d+ is extremely large/,
    message: cannotLoad('it was made for a machine of the other byte order'),
  },
  {
    ...corrupt,
    pattern: /invalid magic characters: '(.{4})'/,
    message: cannotLoad("it begins with '%', not GGUF: it is not a model file"),
  },
  {
    ...corrupt,
    pattern: /failed to read magic/,
    message: cannotLoad('it is empty or a folder, a GGUF file is needed'),
  },
  {
    ...corrupt,
    pattern: /data is not within the file bounds|unexpectedly reached end of file/,
    message: cannotLoad('it is cut short'),
  },
  {
    ...corrupt,
    pattern:
      /failed to read (?:key-value pairs|tensor info|header)|bad GGUF version|number of (?:tensors|key value pairs) is -?\d+ but must be/,
    message: cannotLoad('its header is cut short or damaged'),
  },
  {
    ...corrupt,
    pattern: /unknown model architecture: ('[^']*')/,
    message: cannotLoad('this llama-server does not know the architecture %'),
  },
  {
    ...corrupt,
    pattern:
      /(key not found in model: \S+|missing tensor '[^']*'|tensor '[^']*' (?:has wrong shape|has invalid data|is duplicated|not found)|wrong number of tensors|corrupted model: [^/]*)/,
    message: cannotLoad('it is not a whole gpt-oss model (%)'),
  },
  {
    ...unreadable,
    pattern: /error loading model: (read error: .+|seek error: .+|failed to open .+)/,
    message: cannotLoad('the file cannot be read (%)'),
  },
]

/** What is a whole Hugging Face model, and the one clear line for what is not. */
import { copyFile, mkdir, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { expect, it, test } from 'vitest'
import { readHfFolder } from '../../../../src/model/convert/hf-folder.ts'
import { writeTinyModel } from '../../../fixtures/tiny-hf-model.mjs'
import { type TempDir, tempDir } from '../../../helpers/temp-dir.ts'

/** Nothing but what is looked at: no numbers that a model could run with. */
async function folderIn(dir: TempDir, shards = 1): Promise<string> {
  const folder = dir.file('m')
  await mkdir(folder)
  await writeFile(dir.file('m', 'config.json'), '{"architectures":["LlamaForCausalLM"]}')
  await writeFile(dir.file('m', 'tokenizer.model'), 'x')
  const weightMap: Record<string, string> = {}
  for (let index = 1; index <= shards; index += 1) {
    const name = `model-0000${index}-of-0000${shards}.safetensors`
    const file = shards === 1 ? 'model.safetensors' : name
    weightMap[`tensor.${index}`] = file
    await writeFile(dir.file('m', file), safetensors(`tensor.${index}`, [100, 50], 10_000))
  }
  const index = JSON.stringify({ weight_map: weightMap })
  if (shards > 1) await writeFile(dir.file('m', 'model.safetensors.index.json'), index)
  return folder
}

function safetensors(name: string, shape: readonly number[], bytes: number): Buffer {
  const json = JSON.stringify({ [name]: { dtype: 'BF16', shape, data_offsets: [0, bytes] } })
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(json.length))
  return Buffer.concat([length, Buffer.from(json), Buffer.alloc(bytes)])
}

it('reads the tensors of all files of a whole one', async () => {
  await using dir = await tempDir()
  await writeTinyModel(dir.file('m'), { shards: 3 })
  const found = await readHfFolder(dir.file('m'))
  expect(found).toMatchObject({
    architecture: 'LlamaForCausalLM',
    isMxfp4: false,
    hasOwnCode: false,
  })
  expect(found.tensors).toHaveLength(21)
  expect(found.tensors).toContainEqual({
    name: 'lm_head.weight',
    shape: [512, 512],
    bytes: 512 * 512 * 2,
  })
})

test.each<[string, (dir: TempDir) => Promise<unknown>, string, string]>([
  [
    'is not there',
    (dir) => rm(dir.file('m'), { recursive: true }),
    'there is no such folder',
    'Name the folder',
  ],
  [
    'has a shard missing by its index',
    (dir) => rm(dir.file('m', 'model-00002-of-00003.safetensors')),
    'its weights are in 3 files, and model-00002-of-00003.safetensors is not there',
    'Download the missing file',
  ],
  [
    'has a shard missing and no index',
    async (dir) => {
      await rm(dir.file('m', 'model-00003-of-00003.safetensors'))
      await rm(dir.file('m', 'model.safetensors.index.json'))
    },
    'model-00003-of-00003.safetensors is not there',
    'Download the missing file',
  ],
  [
    'has a shard that is cut short',
    (dir) => truncate(dir.file('m', 'model-00001-of-00003.safetensors'), 5000),
    'model-00001-of-00003.safetensors: it is cut short: 4.9 KiB of 9.8 KiB',
    'Download that file again',
  ],
  [
    'has a Git LFS pointer for a shard',
    (dir) =>
      writeFile(
        dir.file('m', 'model-00001-of-00003.safetensors'),
        'version https://git-lfs.github.com/spec/v1\noid sha256:27cd\nsize 12109566624\n',
      ),
    'it is a Git LFS pointer',
    'Download that file again',
  ],
  [
    'is a LoRA adapter',
    (dir) => writeFile(dir.file('m', 'adapter_config.json'), '{"peft_type":"LORA"}'),
    'it is a LoRA adapter, changes to a model and no model',
    'merge_and_unload',
  ],
  [
    'has no config.json',
    (dir) => rm(dir.file('m', 'config.json')),
    'it has no config.json, so it is no Hugging Face model',
    'Name the folder',
  ],
  [
    'holds a GGUF alone',
    async (dir) => {
      await rm(dir.file('m', 'config.json'))
      await writeFile(dir.file('m', 'x.gguf'), 'GGUF')
    },
    'it holds a GGUF, which need not be converted',
    'x.gguf',
  ],
  [
    'has a broken config.json',
    (dir) => writeFile(dir.file('m', 'config.json'), '{"architectures": 3}'),
    'its config.json is not the one of a model',
    'Download the whole folder again',
  ],
  [
    'has no tokenizer',
    (dir) => rm(dir.file('m', 'tokenizer.model')),
    'it has no tokenizer',
    'Download the whole folder again',
  ],
])('a folder that %s is refused with the reason', async (_title, spoil, what, hint) => {
  await using dir = await tempDir()
  await folderIn(dir, 3)
  await spoil(dir)
  const refused = readHfFolder(dir.file('m'))
  await expect(refused).rejects.toMatchObject({
    message: expect.stringContaining(what),
    hint: expect.stringContaining(hint),
  })
})

it('tells a file from a folder, and what to do with a GGUF', async () => {
  await using dir = await tempDir()
  await writeFile(dir.file('m.gguf'), 'GGUF')
  await expect(readHfFolder(dir.file('m.gguf'))).rejects.toMatchObject({
    message: expect.stringContaining('it is a file'),
    hint: expect.stringContaining('oss20bd quantize'),
  })
})

it('takes weights of PyTorch by their size, and counts shards from 0 as OpenAI does', async () => {
  await using dir = await tempDir()
  const folder = await folderIn(dir)
  await copyFile(
    dir.file('m', 'model.safetensors'),
    dir.file('m', 'model-00001-of-00001.safetensors'),
  )
  await rename(
    dir.file('m', 'model.safetensors'),
    dir.file('m', 'model-00000-of-00001.safetensors'),
  )
  expect((await readHfFolder(folder)).tensors).toHaveLength(2)
  await rm(dir.file('m', 'model-00000-of-00001.safetensors'))
  await rm(dir.file('m', 'model-00001-of-00001.safetensors'))
  await writeFile(dir.file('m', 'pytorch_model.bin'), Buffer.alloc(1000))
  expect((await readHfFolder(folder)).tensors).toEqual([
    { name: 'pytorch_model.bin', shape: [2, 250], bytes: 1000 },
  ])
})

it('tells that a folder brings code of its own, and gpt-oss with its 4-bit experts', async () => {
  await using dir = await tempDir()
  const folder = await folderIn(dir)
  await writeFile(dir.file('m', 'modeling_x.py'), '')
  expect((await readHfFolder(folder)).hasOwnCode).toBe(false)
  await writeFile(dir.file('m', 'tokenizer_config.json'), '{"auto_map":{"AutoTokenizer":["x"]}}')
  expect((await readHfFolder(folder)).hasOwnCode).toBe(true)

  await mkdir(dir.file('g'))
  const config = {
    architectures: ['GptOssForCausalLM'],
    quantization_config: { quant_method: 'mxfp4' },
  }
  await writeFile(dir.file('g', 'config.json'), JSON.stringify(config))
  await writeFile(dir.file('g', 'tokenizer.json'), '{}')
  await writeFile(
    dir.file('g', 'model.safetensors'),
    safetensors('mlp.experts.down_proj_blocks', [4], 4),
  )
  expect(await readHfFolder(dir.file('g'))).toMatchObject({
    architecture: 'GptOssForCausalLM',
    isMxfp4: true,
  })
})

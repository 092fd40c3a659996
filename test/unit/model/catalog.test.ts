import { expect, it } from 'vitest'
import { DEFAULT_HF_ENDPOINT, GPT_OSS_20B, modelUrl } from '../../../src/model/catalog.ts'

it('finds the model on Hugging Face and on a mirror in a folder', () => {
  const path = 'ggml-org/gpt-oss-20b-GGUF/resolve/main/gpt-oss-20b-MXFP4.gguf'
  expect(modelUrl(GPT_OSS_20B, DEFAULT_HF_ENDPOINT)).toBe(`https://huggingface.co/${path}`)
  expect(modelUrl(GPT_OSS_20B, 'http://mirror:8081/hf/')).toBe(`http://mirror:8081/hf/${path}`)
})

it.each(['', 'huggingface.co', 'file:///models'])('refuses the endpoint %j', (endpoint) => {
  expect(() => modelUrl(GPT_OSS_20B, endpoint)).toThrow('an http or https address is needed')
})

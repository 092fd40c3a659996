/** The apps we know how to bring to the port. Pure. */
import {
  cline,
  homeAssistant,
  langchain,
  litellm,
  openWebui,
  raycast,
  xcode,
} from './apps-by-hand.ts'
import type { App, Connection } from './connection.ts'
import { editJson, editTomlTable, editYamlList } from './edit-config.ts'
import { contextOf, keyOf, type PortFacts } from './port-facts.ts'
import { quoted } from './quoted.ts'

export const APPS: readonly App[] = [
  { id: 'env', title: 'Shell variables of the OpenAI SDKs', connect: shell },
  { id: 'codex', title: 'Codex CLI', connect: codex },
  { id: 'claude-code', title: 'Claude Code', connect: claudeCode },
  { id: 'opencode', title: 'opencode', connect: opencode },
  { id: 'continue', title: 'Continue (VS Code, JetBrains)', connect: continueDev },
  { id: 'cline', title: 'Cline (VS Code)', connect: cline },
  { id: 'zed', title: 'Zed', connect: zed },
  { id: 'open-webui', title: 'Open WebUI', connect: openWebui },
  { id: 'langchain', title: 'LangChain (Python)', connect: langchain },
  { id: 'litellm', title: 'LiteLLM proxy', connect: litellm },
  { id: 'raycast', title: 'Raycast AI', connect: raycast },
  { id: 'home-assistant', title: 'Home Assistant', connect: homeAssistant },
  { id: 'xcode', title: 'Xcode', connect: xcode },
]

function shell(port: PortFacts): Connection {
  return {
    kind: 'shell',
    lines: [
      `export OPENAI_BASE_URL=${quoted(`${port.url}/v1`)}`,
      // The name that older libraries read.
      `export OPENAI_API_BASE=${quoted(`${port.url}/v1`)}`,
      `export OPENAI_API_KEY=${quoted(keyOf(port))}`,
      `export OPENAI_MODEL=${quoted(port.model)}`,
    ],
  }
}

/** Codex speaks only the Responses API by now. A table of its own changes nothing for who does not ask for it. */
function codex(port: PortFacts): Connection {
  const lines = [
    'name = "oss20bd"',
    `base_url = ${JSON.stringify(`${port.url}/v1`)}`,
    'wire_api = "responses"',
    ...(port.needsToken ? ['env_key = "OSS20BD_TOKEN"'] : []),
  ]
  return {
    kind: 'file',
    path: '.codex/config.toml',
    edit: (text) => editTomlTable(text, 'model_providers.oss20bd', lines),
    afterwards: [
      `Start it with: codex -c model_provider=oss20bd -m ${port.model}`,
      ...(port.needsToken ? ['It reads the token from the variable OSS20BD_TOKEN'] : []),
    ],
  }
}

function claudeCode(port: PortFacts): Connection {
  const env = {
    ANTHROPIC_BASE_URL: port.url,
    ANTHROPIC_AUTH_TOKEN: keyOf(port),
    ANTHROPIC_MODEL: port.model,
    ANTHROPIC_DEFAULT_OPUS_MODEL: port.model,
    ANTHROPIC_DEFAULT_SONNET_MODEL: port.model,
    ANTHROPIC_DEFAULT_HAIKU_MODEL: port.model,
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
  }
  return {
    kind: 'file',
    path: '.claude/settings.json',
    edit: (text) =>
      editJson(
        text,
        Object.entries(env).map(([name, value]) => [['env', name], value]),
      ),
    afterwards: [
      'Start it anew: every session of it then uses this model; remove the names from "env" to go back',
      'Its prompts are long: give the model 64k tokens of context or more (oss20bd plan)',
    ],
  }
}

function opencode(port: PortFacts): Connection {
  const context = contextOf(port)
  return {
    kind: 'file',
    path: '.config/opencode/opencode.json',
    edit: (text) =>
      editJson(text, [
        [['$schema'], 'https://opencode.ai/config.json'],
        [
          ['provider', 'oss20bd'],
          {
            npm: '@ai-sdk/openai-compatible',
            name: 'oss20bd',
            options: { baseURL: `${port.url}/v1`, apiKey: keyOf(port) },
            models: {
              [port.model]: {
                name: port.model,
                limit: { context, output: Math.floor(context / 2) },
              },
            },
          },
        ],
      ]),
    afterwards: [`Choose it with /models, or start: opencode -m oss20bd/${port.model}`],
  }
}

function continueDev(port: PortFacts): Connection {
  const model = {
    name: 'oss20bd',
    provider: 'openai',
    model: port.model,
    apiBase: `${port.url}/v1`,
    apiKey: keyOf(port),
    roles: ['chat', 'edit', 'apply'],
    capabilities: ['tool_use'],
  }
  return {
    kind: 'file',
    path: '.continue/config.yaml',
    edit: (text) =>
      editYamlList(text, 'models', model, { name: 'Local', version: '1.0.0', schema: 'v1' }),
    afterwards: ['Choose oss20bd in the list of models'],
  }
}

function zed(port: PortFacts): Connection {
  const model = {
    name: port.model,
    display_name: `${port.model} (oss20bd)`,
    max_tokens: contextOf(port),
    capabilities: {
      tools: true,
      images: false,
      parallel_tool_calls: false,
      prompt_cache_key: false,
    },
  }
  return {
    kind: 'file',
    path: '.config/zed/settings.json',
    edit: (text) =>
      editJson(text, [
        [
          ['language_models', 'openai_compatible', 'oss20bd'],
          { api_url: `${port.url}/v1`, available_models: [model] },
        ],
      ]),
    afterwards: [
      `In the settings of the agent panel give the provider oss20bd the API key ${keyOf(port)}, then choose its model`,
    ],
  }
}

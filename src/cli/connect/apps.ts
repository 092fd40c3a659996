/** The apps we know how to bring to the port. Pure. */
import type { App, Connection } from './connection.ts'
import { editJson, editTomlTable, editYamlList } from './edit-config.ts'
import { keyOf, type PortFacts } from './port-facts.ts'

/** The context that is told to an app that must have a number, when only a running engine knows it. */
const usualContextTokens = 32_768

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

/** For a shell: nothing in it is special. */
export function quoted(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`
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
  const context = port.contextTokens ?? usualContextTokens
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

function cline(port: PortFacts): Connection {
  return {
    kind: 'text',
    lines: [
      'Cline keeps its settings inside VS Code. In its settings choose:',
      '  API Provider    OpenAI Compatible',
      `  Base URL        ${port.url}/v1`,
      `  API Key         ${keyOf(port)}`,
      `  Model ID        ${port.model}`,
      `  Context Window  ${port.contextTokens ?? usualContextTokens}`,
    ],
  }
}

function zed(port: PortFacts): Connection {
  const model = {
    name: port.model,
    display_name: `${port.model} (oss20bd)`,
    max_tokens: port.contextTokens ?? usualContextTokens,
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

function openWebui(port: PortFacts): Connection {
  return {
    kind: 'text',
    lines: [
      '# Without Docker, before `open-webui serve`:',
      `export OPENAI_API_BASE_URL=${quoted(`${port.url}/v1`)}`,
      `export OPENAI_API_KEY=${quoted(keyOf(port))}`,
      'export ENABLE_OLLAMA_API=false',
      '',
      '# In Docker 127.0.0.1 is the container itself, and the port answers to loopback names only. Let it in once:',
      '#   config: proxy.allowedHosts = ["host.docker.internal"]',
      '# On Linux the port must also listen where the container can reach it (proxy.host), with a token.',
      `#   docker run ... -e OPENAI_API_BASE_URL=${url(port, 'host.docker.internal')}/v1 -e OPENAI_API_KEY=${keyOf(port)} ghcr.io/open-webui/open-webui:main`,
    ],
  }
}

function url(port: PortFacts, host: string): string {
  return `http://${host}:${new URL(port.url).port}`
}

function langchain(port: PortFacts): Connection {
  return {
    kind: 'text',
    lines: [
      '# pip install langchain-openai',
      'from langchain_openai import ChatOpenAI',
      '',
      'llm = ChatOpenAI(',
      `    base_url=${JSON.stringify(`${port.url}/v1`)},`,
      `    api_key=${JSON.stringify(keyOf(port))},`,
      `    model=${JSON.stringify(port.model)},`,
      ')',
      'print(llm.invoke("Hello").content)',
    ],
  }
}

function litellm(port: PortFacts): Connection {
  return {
    kind: 'text',
    lines: [
      '# config.yaml of the LiteLLM proxy; start it with: litellm --config config.yaml',
      'model_list:',
      `  - model_name: ${port.model}`,
      '    litellm_params:',
      `      model: openai/${port.model}`,
      `      api_base: ${port.url}/v1`,
      `      api_key: ${keyOf(port)}`,
    ],
  }
}

function raycast(port: PortFacts): Connection {
  return {
    kind: 'text',
    lines: [
      '# ~/.config/raycast/ai/providers.yaml (Settings > AI > Custom Providers > Reveal Providers Config)',
      'providers:',
      '  - id: oss20bd',
      '    name: oss20bd',
      `    base_url: ${port.url}/v1`,
      ...(port.needsToken ? ['    api_keys:', `      oss20bd: ${keyOf(port)}`] : []),
      '    models:',
      `      - id: ${port.model}`,
      `        name: ${port.model}`,
      `        context: ${port.contextTokens ?? usualContextTokens}`,
      '        abilities:',
      '          temperature: { supported: true }',
      '          system_message: { supported: true }',
      '          tools: { supported: true }',
    ],
  }
}

function homeAssistant(port: PortFacts): Connection {
  return {
    kind: 'text',
    lines: [
      "Home Assistant's own OpenAI integration takes no other address. From HACS install an integration that does,",
      'for example "Extended OpenAI Conversation", and give it:',
      `  Base URL  ${port.url}/v1 (from another machine: the address of this one)`,
      `  API key   ${keyOf(port)}`,
      `  Model     ${port.model}`,
      'From another machine the port must listen there (proxy.host), which needs a token: oss20bd token add home-assistant',
    ],
  }
}

function xcode(port: PortFacts): Connection {
  return {
    kind: 'text',
    lines: [
      'In Xcode 26 or newer: Settings > Intelligence > Add a Model Provider > Locally Hosted',
      `  Port         ${new URL(port.url).port}`,
      '  Description  oss20bd',
    ],
  }
}

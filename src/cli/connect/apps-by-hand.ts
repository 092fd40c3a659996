/** Apps whose settings a person fills in: the text to put there, or the steps. Pure. */
import type { Connection } from './connection.ts'
import { contextOf, keyOf, type PortFacts } from './port-facts.ts'
import { quoted } from './quoted.ts'

export function cline(port: PortFacts): Connection {
  return {
    kind: 'text',
    lines: [
      'Cline keeps its settings inside VS Code. In its settings choose:',
      '  API Provider    OpenAI Compatible',
      `  Base URL        ${port.url}/v1`,
      `  API Key         ${keyOf(port)}`,
      `  Model ID        ${port.model}`,
      `  Context Window  ${contextOf(port)}`,
    ],
  }
}

export function openWebui(port: PortFacts): Connection {
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

export function langchain(port: PortFacts): Connection {
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

export function litellm(port: PortFacts): Connection {
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

export function raycast(port: PortFacts): Connection {
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
      `        context: ${contextOf(port)}`,
      '        abilities:',
      '          temperature: { supported: true }',
      '          system_message: { supported: true }',
      '          tools: { supported: true }',
    ],
  }
}

export function homeAssistant(port: PortFacts): Connection {
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

export function xcode(port: PortFacts): Connection {
  return {
    kind: 'text',
    lines: [
      'In Xcode 26 or newer: Settings > Intelligence > Add a Model Provider > Locally Hosted',
      `  Port         ${new URL(port.url).port}`,
      '  Description  oss20bd',
    ],
  }
}

function url(port: PortFacts, host: string): string {
  return `http://${host}:${new URL(port.url).port}`
}

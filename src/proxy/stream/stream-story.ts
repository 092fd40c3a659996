/** Follows one streamed answer, and joins what another engine adds to it into one unbroken stream. Pure. */
import type { Api } from '../api.ts'
import { chatDialect } from './chat-story.ts'
import { completionsDialect } from './completions-story.ts'
import { JoinedStory } from './joined-story.ts'
import { objectOf } from './json.ts'
import { messagesDialect } from './messages-story.ts'
import { nativeStory } from './native-story.ts'
import { responsesDialect } from './responses-story.ts'
import type { StreamStory } from './story.ts'

export type { StreamStory } from './story.ts'

/** `request`: the JSON that the engine was sent, with aliases resolved; null when it is none. */
export function startStory(api: Api, request: unknown): StreamStory {
  const json = objectOf(request)
  switch (api) {
    case 'chat':
      return new JoinedStory(chatDialect(), json)
    case 'completions':
      return new JoinedStory(completionsDialect(), json)
    case 'responses':
      return new JoinedStory(responsesDialect(), json)
    case 'messages':
      return new JoinedStory(messagesDialect(), json)
    case 'native':
      return nativeStory(json)
  }
}

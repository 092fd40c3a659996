/** The page: listens to the daemon and shows what it hears. */
import { beginChat } from './chat.ts'
import { find, setText } from './dom.ts'
import { listen } from './feed.ts'
import { addEvent, showJournal } from './journal.ts'
import { showStatus } from './overview.ts'
import { addSample, beginPlots, loadHistory } from './plots.ts'
import { showRequests } from './requests.ts'
import { begin, cancel, isUnlocked, look } from './session.ts'

const link = find('#link', HTMLElement)
let model = ''

beginPlots()
beginChat(() => model)
void begin()

listen({
  connected(isConnected) {
    setText(link, isConnected ? 'Live' : 'Connection lost: the daemon is gone. Trying again …')
    link.classList.toggle('lost', !isConnected)
    if (!isConnected) return
    void loadHistory()
    void look()
  },
  now({ status, requests, sample }) {
    model = status.model.name
    showStatus(status)
    showRequests(requests, { cancel: (id) => void cancel(id), isUnlocked })
    addSample(sample)
  },
  journal: showJournal,
  event: addEvent,
})

/** The page: listens to the daemon and shows what it hears. */
import { beginChat } from './chat.ts'
import { find, setText } from './dom.ts'
import { beginLog, unlockLog } from './engine-log.ts'
import { PageFeed } from './feed.ts'
import { addEvent, showJournal } from './journal.ts'
import { showStatus } from './overview.ts'
import { addSample, beginPlots, loadHistory } from './plots.ts'
import { showRequests } from './requests.ts'
import { begin, cancel, isUnlocked, look } from './session.ts'

const link = find('#link', HTMLElement)
let model = ''

const feed = new PageFeed({
  connected(isConnected) {
    setText(link, isConnected ? 'Live' : 'Connection lost: the daemon is gone. Trying again …')
    link.classList.toggle('lost', !isConnected)
    void look()
    if (isConnected) void loadHistory()
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

beginPlots()
beginLog()
beginChat(() => model)
await begin({
  unlocked: unlockLog,
  letIn(isLetIn) {
    if (isLetIn) return feed.open()
    feed.close()
    setText(link, 'Locked')
  },
})
// Nobody answered: the feed tries again by itself.
if (!document.body.classList.contains('locked')) feed.open()

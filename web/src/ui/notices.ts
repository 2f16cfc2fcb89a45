import {store, type State} from '../state.ts';
import type {Actions} from './actions.ts';
import {h} from './dom.ts';
import {count, duration} from './format.ts';

/** What needs to be said over the map: at most one thing, the most important one. */
export function notices(actions: Actions): HTMLElement {
  const root = h('div', {class: 'notices'});
  let shown = '';
  const show = () => {
    const notice = choose(store.get(), Date.now());
    document.body.classList.toggle('is-lost', store.get().phase === 'lost' || (store.get().phase === 'connecting' && store.get().lostAt > 0));
    const key = notice ? notice.text + notice.detail : '';
    if (key === shown) return;
    shown = key;
    root.replaceChildren(...(notice ? [render(notice, actions)] : []));
  };
  for (const part of ['phase', 'status', 'cut', 'retryAt'] as const) store.watch(s => s[part], show);
  store.watch(s => `${s.replay !== null} ${s.replay?.loading} ${s.replay?.problem}`, show);
  setInterval(show, 1000);
  return root;
}

interface Notice {kind: string; text: string; detail: string; button?: [label: string, act: 'showFleet' | 'reconnect' | 'live']}

export function choose(s: Readonly<State>, now: number): Notice | undefined {
  if (s.replay?.problem) return {kind: 'partial', text: 'The past cannot be shown now.', detail: s.replay.problem, button: ['Back to live', 'live']};
  if (s.replay?.loading) return {kind: 'loading', text: 'Loading the past', detail: ''};
  if (s.replay) return s.cut ? {kind: 'cut', text: 'Too many vehicles to draw each one.', detail: 'Zoom in, or change to cells.'} : undefined;
  if (s.phase !== 'live') {
    if (s.lostAt === 0) return {kind: 'loading', text: 'Loading the fleet', detail: ''};
    const left = Math.ceil((s.retryAt - now) / 1000);
    const detail = s.phase === 'connecting' || left <= 0 ? 'Connecting again now.' : `Connecting again in ${left} s.`;
    return {kind: 'lost', text: `Disconnected. The map is ${duration((now - s.lostAt) / 1000)} old.`, detail, button: ['Connect now', 'reconnect']};
  }
  if (!s.status) return {kind: 'loading', text: 'Loading the fleet', detail: ''};
  const {partitions, total, in_view} = s.status;
  if (partitions.missing.length > 0) {
    return {
      kind: 'partial', text: `Part of the fleet is missing: ${partitions.answered} of ${partitions.asked} partitions answer.`,
      detail: `Missing: ${partitions.missing.join(', ')}`,
    };
  }
  if (total === 0) return {kind: 'empty', text: 'No vehicles yet', detail: 'Positions sent to /api/v1/positions appear here at once.'};
  if (in_view === 0) return {kind: 'elsewhere', text: `No vehicle in this view; there are ${count(total)} elsewhere.`, detail: '', button: ['Show them', 'showFleet']};
  if (s.cut) return {kind: 'cut', text: 'Too many vehicles to draw each one.', detail: 'Zoom in, or change to cells.'};
  return undefined;
}

function render(notice: Notice, actions: Actions): HTMLElement {
  const {button} = notice;
  return h('div', {class: `notice notice-${notice.kind}`},
    notice.kind === 'loading' && h('span', {class: 'spinner', 'aria-hidden': 'true'}),
    h('div', {}, h('strong', notice.kind === 'lost' ? {} : {role: 'status'}, notice.text), // the lost one counts seconds; the pill says it once
      notice.detail !== '' && h('p', {}, notice.detail)),
    button && h('button', {type: 'button', class: 'button', click: () => actions[button[1]]()}, button[0]));
}

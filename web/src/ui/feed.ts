import {store, type FleetEvent} from '../state.ts';
import {fenceName} from '../map/fences.ts';
import type {Actions} from './actions.ts';
import {h, icon, type Icon} from './dom.ts';
import {clock, GROUPS, groupOf, phrase} from './format.ts';

const SHOWN = 150;

const ICON: Record<string, Icon> = {
  enter: 'enter', exit: 'exit', cross: 'cross', dwell: 'dwell', stop_started: 'stop', stop_ended: 'go', trip_started: 'go', trip_ended: 'stop',
  gap_started: 'gap', gap_ended: 'gap',
};

/** The events that the filter lets through, as the feed shows them. */
export function visibleEvents(): FleetEvent[] {
  const {groups, replay, pastEvents, events: present} = store.get();
  const events = replay ? pastEvents.filter(e => Date.parse(e['@timestamp']) <= replay.at) : present;
  return (groups.size === 0 ? events : events.filter(e => groups.has(groupOf(e.type)))).slice(0, SHOWN);
}

export function eventRow(event: FleetEvent, actions: Actions, vehicle: boolean): HTMLElement {
  const fence = event.fence ? event.fence.name || fenceName(store.get().fences, event.fence.id) : '';
  const text = phrase(event, fence);
  return h('li', {'data-event': event.id, class: `event event-${groupOf(event.type)}`},
    h('button', {type: 'button', click: () => actions.openEvent(event)},
      h('span', {class: 'event-icon'}, icon(ICON[event.type] ?? 'go')),
      h('span', {class: 'event-text'}, vehicle && h('b', {}, event.vehicle), vehicle ? ` ${text}` : text.charAt(0).toUpperCase() + text.slice(1)),
      h('time', {datetime: event['@timestamp']}, clock(event['@timestamp']))));
}

/** The newest events, newest first. Rows stay the same elements while they are shown, so that the focus and the place stay too. */
export function feed(actions: Actions): HTMLElement {
  const list = h('ol', {class: 'events', id: 'events', 'aria-label': 'Events, newest first', tabindex: '0'});
  const empty = h('p', {class: 'empty'});
  const rows = new Map<string, HTMLElement>();
  const mark = () => {
    const {current} = store.get();
    for (const [id, row] of rows) row.toggleAttribute('data-current', id === current);
  };
  const show = () => {
    const wanted = visibleEvents();
    arrange(list, rows, wanted, event => eventRow(event, actions, true));
    const {groups, eventsProblem} = store.get();
    empty.hidden = wanted.length > 0;
    empty.textContent = store.get().replay ? 'No events in the replay so far.' : eventsProblem ?? (groups.size > 0 ? 'No events of these kinds yet.' : 'No events yet. They appear here as they happen.');
    mark();
  };
  store.watch(s => s.events, show);
  store.watch(s => s.groups, show);
  store.watch(s => s.pastEvents, show);
  store.watch(s => Math.floor((s.replay?.at ?? 0) / 1000), show);
  store.watch(s => s.eventsProblem, show);
  store.watch(s => s.fences, () => { // their names may have changed
    rows.clear();
    list.replaceChildren();
    show();
  });
  store.watch(s => s.current, current => {
    mark();
    if (current !== null) rows.get(current)?.scrollIntoView({block: 'nearest'});
  });
  return h('section', {class: 'feed', id: 'feed', role: 'tabpanel', 'aria-labelledby': 'tab-events'}, h('div', {class: 'feed-head'}, filters()), empty, list);
}

function arrange(list: HTMLElement, rows: Map<string, HTMLElement>, wanted: FleetEvent[], make: (event: FleetEvent) => HTMLElement): void {
  const keep = new Set(wanted.map(e => e.id));
  for (const [id, row] of rows) {
    if (keep.has(id)) continue;
    row.remove();
    rows.delete(id);
  }
  let next: Element | null = list.firstElementChild;
  for (const event of wanted) {
    let row = rows.get(event.id);
    if (row && row === next) {
      next = row.nextElementSibling;
      continue;
    }
    if (!row) rows.set(event.id, (row = make(event)));
    list.insertBefore(row, next);
  }
}

function filters(): HTMLElement {
  const chip = (key: string, label: string) => {
    const toggle = () => {
      const groups = new Set(store.get().groups);
      if (!groups.delete(key)) groups.add(key);
      store.set({groups});
    };
    const button = h('button', {type: 'button', class: 'chip', 'aria-pressed': 'false', 'data-group': key, click: toggle}, label);
    store.watch(s => s.groups, groups => button.setAttribute('aria-pressed', String(groups.has(key))));
    return button;
  };
  return h('div', {class: 'chips', role: 'group', 'aria-label': 'Show only'}, ...Object.entries(GROUPS).map(([key, {label}]) => chip(key, label)));
}

import {store} from '../state.ts';
import type {Actions} from './actions.ts';
import {h, icon, svg} from './dom.ts';
import {count} from './format.ts';
import {searchBox} from './search.ts';

export function topbar(actions: Actions): HTMLElement {
  const mark = svg('svg', {viewBox: '0 0 24 24', class: 'brand-mark', 'aria-hidden': 'true'}, svg('path', {d: 'M12 2.5 20 21l-8-4.3L4 21z'}));
  return h('header', {class: 'topbar'}, h('h1', {class: 'brand'}, mark, 'trackmesh'), searchBox(actions), counts(), connection(actions), themeSwitch(actions));
}

function counts(): HTMLElement {
  const cell = (state: 'moving' | 'stopped' | 'silent') => {
    const value = h('b', {}, '–');
    store.watch(s => s.status?.[state], n => (value.textContent = n === undefined ? '–' : count(n)));
    return h('span', {class: `count count-${state}`}, h('i', {'aria-hidden': 'true'}), value, ` ${state}`);
  };
  const total = h('span', {class: 'count count-total'});
  store.watch(s => s.status, status => {
    total.replaceChildren(...(status ? [h('b', {}, count(status.in_view)), ` of ${count(status.total)} in view`] : []));
  });
  return h('div', {class: 'counts', role: 'group', 'aria-label': 'Vehicles by state'}, cell('moving'), cell('stopped'), cell('silent'), total);
}

function connection(actions: Actions): HTMLElement {
  const text = h('span', {}, 'Connecting');
  const pill = h('div', {class: 'pill', role: 'status', 'data-phase': 'connecting'}, h('i', {'aria-hidden': 'true'}), text);
  const show = () => {
    const {phase, status, replay} = store.get();
    const state = replay && phase !== 'lost' ? 'replay' : phase === 'live' && (status?.partitions.missing.length ?? 0) > 0 ? 'partial' : phase;
    const label = {connecting: 'Connecting', live: 'Live', partial: 'Partial', replay: 'Replay', lost: 'Disconnected'}[state];
    if (pill.dataset['phase'] !== state) pill.dataset['phase'] = state;
    if (text.textContent !== label) text.textContent = label;
  };
  store.watch(s => s.phase, show);
  store.watch(s => s.status, show);
  store.watch(s => s.replay === null, show);
  pill.addEventListener('click', () => store.get().phase === 'lost' && actions.reconnect());
  return pill;
}

function themeSwitch(actions: Actions): HTMLElement {
  const button = h('button', {class: 'icon-button', id: 'theme', type: 'button', click: () => actions.toggleDark()});
  store.watch(s => s.dark, dark => {
    button.replaceChildren(icon(dark ? 'sun' : 'moon'));
    button.setAttribute('aria-label', dark ? 'Switch to light' : 'Switch to dark');
    button.title = dark ? 'Light' : 'Dark';
  });
  return button;
}

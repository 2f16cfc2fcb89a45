import {BASES, LOOKS, store, type Base} from '../state.ts';
import type {Actions} from './actions.ts';
import {h, icon, type Icon} from './dom.ts';

const LABEL = {auto: 'Auto', points: 'Points', cells: 'Cells', heat: 'Heat'} as const;

/** Below left: how the fleet is drawn, and what the colours mean. */
export function lookSwitch(actions: Actions): HTMLElement {
  const buttons = LOOKS.map(look => {
    const button = h('button', {type: 'button', 'data-look': look, click: () => actions.look(look)}, LABEL[look]);
    store.watch(s => s.look === look, on => button.setAttribute('aria-pressed', String(on)));
    return button;
  });
  return h('div', {class: 'segmented', role: 'group', 'aria-label': 'How the fleet is drawn'}, ...buttons);
}

/** Which base map lies below, where there is more than one. */
export function baseSwitch(actions: Actions): HTMLElement {
  const select = h('select', {id: 'base', 'aria-label': 'Base map', change: () => actions.base(select.value as Base)});
  store.watch(s => s.bases, bases => {
    select.hidden = bases.length < 2;
    select.replaceChildren(...bases.map(b => h('option', {value: b}, BASES[b])));
    select.value = store.get().base;
  });
  store.watch(s => s.base, base => (select.value = base));
  return select;
}

export function mapButtons(actions: Actions): HTMLElement {
  const button = (name: Icon, label: string, act: () => void) =>
    h('button', {type: 'button', class: 'map-button', 'aria-label': label, title: label, click: act}, icon(name));
  return h('div', {class: 'map-buttons'},
    button('plus', 'Zoom in', () => actions.zoom(1)), button('minus', 'Zoom out', () => actions.zoom(-1)),
    button('home', 'Show the whole fleet', () => actions.showFleet()));
}

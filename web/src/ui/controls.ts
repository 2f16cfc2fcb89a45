import {LOOKS, store} from '../state.ts';
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

export function mapButtons(actions: Actions): HTMLElement {
  const button = (name: Icon, label: string, act: () => void) =>
    h('button', {type: 'button', class: 'map-button', 'aria-label': label, title: label, click: act}, icon(name));
  return h('div', {class: 'map-buttons'},
    button('plus', 'Zoom in', () => actions.zoom(1)), button('minus', 'Zoom out', () => actions.zoom(-1)),
    button('home', 'Show the whole fleet', () => actions.showFleet()));
}

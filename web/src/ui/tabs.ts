import {store} from '../state.ts';
import type {Actions} from './actions.ts';
import {h} from './dom.ts';

const TABS = [['events', 'Events'], ['fences', 'Fences']] as const;

/** Chooses what the panel shows. */
export function tabs(actions: Actions): HTMLElement {
  const buttons = TABS.map(([key, label]) => {
    const button = h('button', {type: 'button', role: 'tab', id: `tab-${key}`, 'aria-controls': key === 'events' ? 'feed' : 'fences', click: () => actions.panel(key)}, label);
    store.watch(s => s.panel === key, on => {
      button.setAttribute('aria-selected', String(on));
      button.tabIndex = on ? 0 : -1;
    });
    return button;
  });
  store.watch(s => s.panel, panel => (document.body.dataset['panel'] = panel));
  return h('div', {class: 'tabs', role: 'tablist', 'aria-label': 'Panel', keydown: (event: KeyboardEvent) => {
    if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
    const next = TABS[store.get().panel === 'events' ? 1 : 0][0];
    actions.panel(next);
    document.getElementById(`tab-${next}`)?.focus();
    event.stopPropagation();
  }}, ...buttons);
}

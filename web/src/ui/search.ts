import type {Actions} from './actions.ts';
import {h, icon} from './dom.ts';

/** Finds vehicles by name: those in view as one types, any other with Enter. */
export function searchBox(actions: Actions): HTMLElement {
  const list = h('ul', {class: 'suggestions', id: 'suggestions', role: 'listbox', 'aria-label': 'Vehicles', hidden: true});
  const input = h('input', {
    id: 'search', type: 'search', placeholder: 'Search a vehicle', autocomplete: 'off', spellcheck: 'false', enterkeyhint: 'search', role: 'combobox',
    'aria-label': 'Search a vehicle', 'aria-expanded': 'false', 'aria-controls': 'suggestions', 'aria-autocomplete': 'list',
  });
  let names: string[] = [], at = -1;

  const close = () => {
    list.hidden = true;
    input.setAttribute('aria-expanded', 'false');
    input.removeAttribute('aria-activedescendant');
    at = -1;
  };
  const leave = () => {
    input.value = '';
    close();
    input.blur();
  };
  const take = (name: string) => {
    leave();
    actions.select(name, true);
  };
  const option = (name: string, i: number) => h('li', {
    id: `suggestion-${i}`, role: 'option', 'aria-selected': 'false',
    pointerdown: (event: PointerEvent) => {
      event.preventDefault();
      take(name);
    },
  }, name);
  const show = () => {
    const text = input.value.trim();
    names = text === '' ? [] : actions.search(text);
    at = -1;
    list.replaceChildren(...names.map(option));
    if (names.length === 0) list.append(h('li', {class: 'hint', role: 'presentation'}, 'Not in view. Enter looks everywhere.'));
    list.hidden = text === '';
    input.setAttribute('aria-expanded', String(text !== ''));
  };
  const mark = (to: number) => {
    at = names.length === 0 ? -1 : (to + names.length) % names.length;
    [...list.children].forEach((li, i) => li.setAttribute('aria-selected', String(i === at)));
    if (at >= 0) input.setAttribute('aria-activedescendant', `suggestion-${at}`);
  };
  const keys: Record<string, () => void> = {
    ArrowDown: () => mark(at + 1),
    ArrowUp: () => mark(at === -1 ? -1 : at - 1),
    Escape: leave,
    Enter: () => {
      const text = input.value.trim();
      if (text !== '') take(names[at] ?? (names.includes(text) ? text : (names[0] ?? text)));
    },
  };
  input.addEventListener('input', show);
  input.addEventListener('blur', close);
  input.addEventListener('keydown', event => {
    const act = keys[event.key];
    if (!act) return;
    act();
    event.preventDefault();
    event.stopPropagation();
  });
  return h('div', {class: 'search', role: 'search'}, icon('search'), input, h('kbd', {'aria-hidden': 'true'}, '/'), list);
}

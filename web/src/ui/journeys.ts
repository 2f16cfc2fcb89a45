import {store} from '../state.ts';
import type {Actions} from './actions.ts';
import {h, icon} from './dom.ts';
import {clock, distance, duration} from './format.ts';

const MOST = 8;

/** A vehicle's newest trips and stops; each can be played. */
export function journeys(actions: Actions): HTMLElement {
  const root = h('div', {class: 'journeys'});
  store.watch(s => s.journeys, found => {
    if (!found) return root.replaceChildren();
    const play = (from: string, to: string, what: string) => h('button', {type: 'button', class: 'icon-button small', 'aria-label': `Play ${what}`, title: 'Play it', click: () =>
      actions.replay({from: Date.parse(from), to: Math.max(Date.parse(to), Date.parse(from) + 10_000)})}, icon('go'));
    const now = new Date().toISOString();
    const trips = found.trips.filter(t => t.start).slice(0, MOST).map(t => h('li', {},
      h('span', {}, h('b', {}, t.open ? 'Under way' : distance(t.distance_metres ?? null)), ` since ${clock(t.start!.time)}`.replace('since', t.open ? 'since' : 'from'),
        t.open || !t.end ? '' : ` to ${clock(t.end.time)}`), play(t.start!.time, t.end?.time ?? now, 'the trip')));
    const stops = found.stops.filter(s => s.started).slice(0, MOST).map(s => h('li', {},
      h('span', {}, h('b', {}, s.open ? 'Stands' : duration(s.duration_seconds ?? 0)), ` from ${clock(s.started!)}`), s.location && h('button', {
        type: 'button', class: 'icon-button small', 'aria-label': 'Show the stop', title: 'Show it', click: () => actions.show(s.location!)}, icon('follow'))));
    root.replaceChildren(...(trips.length > 0 ? [h('h3', {}, 'Trips'), h('ul', {class: 'journey'}, ...trips)] : []),
      ...(stops.length > 0 ? [h('h3', {}, 'Stops'), h('ul', {class: 'journey'}, ...stops)] : []));
  });
  return root;
}

/** Says something to the vehicle's track: a note, or a command. */
export function messageForm(actions: Actions): HTMLElement {
  const key = h('input', {id: 'note-key', 'aria-label': 'Attribute', placeholder: 'attribute', value: 'note', autocomplete: 'off', maxlength: 64});
  const value = h('input', {id: 'note-value', 'aria-label': 'Value', placeholder: 'value; empty removes it', autocomplete: 'off', maxlength: 512});
  const said = h('p', {class: 'soft', role: 'status', id: 'message-status'});
  store.watch(s => s.messageStatus, text => (said.textContent = text ?? ''));
  return h('details', {class: 'message'}, h('summary', {}, 'Send a message'),
    h('form', {class: 'row', novalidate: true, submit: (event: Event) => {
      event.preventDefault();
      if (key.value.trim() !== '') actions.message({annotate: {[key.value.trim()]: value.value === '' ? null : value.value}});
    }}, key, value, h('button', {type: 'submit', class: 'button small', id: 'note-send'}, 'Annotate'),
    h('button', {type: 'button', class: 'button small', click: () => actions.message({reset_odometer: {}})}, 'Reset odometer')), said);
}

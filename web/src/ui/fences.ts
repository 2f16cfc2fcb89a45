import {KINDS, faultOf, idFor, parseGeometry, type Draft, type Kind} from '../fences/draft.ts';
import {fenceName} from '../map/fences.ts';
import {EVENT_TYPES, store, type Fence} from '../state.ts';
import type {Actions} from './actions.ts';
import {h, icon} from './dom.ts';
import {eventRow} from './feed.ts';
import {scheduleEditor} from './schedule.ts';

const MOST_LISTED = 300;
const NAMES: Record<Kind, string> = {polygon: 'Polygon', circle: 'Circle', corridor: 'Corridor'};
const HOW: Record<Kind, string> = {
  polygon: 'Click the corners on the map; click the first one again to finish.', circle: 'Click the centre on the map, then the edge.',
  corridor: 'Click along the way on the map; click the last point again to finish.',
};

/** The panel of fences: their list, one of them, or the form of one that is edited. */
export function fencesPanel(actions: Actions): HTMLElement {
  const body = h('div', {class: 'fences-body'});
  const root = h('section', {class: 'fences', id: 'fences', role: 'tabpanel', 'aria-labelledby': 'tab-fences', tabindex: '-1'}, body);
  const stops: (() => void)[] = []; // of what the parts watch
  const show = () => {
    for (const stop of stops.splice(0)) stop();
    const {draft, fence, fences} = store.get();
    const chosen = fences.find(f => f.id === fence);
    const parts = draft ? form(draft, actions, stops) : chosen ? details(chosen, actions, stops) : list(actions);
    const focused = document.activeElement instanceof HTMLElement && root.contains(document.activeElement) ? document.activeElement.id : '';
    body.replaceChildren(...parts);
    if (focused !== '') (document.getElementById(focused) ?? root).focus({preventScroll: true});
  };
  store.watch(s => s.draft?.id === undefined ? null : s.draftNumber, show);
  store.watch(s => s.fence, show);
  store.watch(s => s.fences, () => store.get().draft === null && show());
  return root;
}

function list(actions: Actions): Node[] {
  const {fences} = store.get();
  const rows = h('ul', {class: 'fence-list', 'aria-label': 'Fences'});
  const fill = (text: string) => {
    const wanted = text.trim().toLowerCase(), found = fences.filter(f => `${f.properties?.name ?? ''} ${f.id}`.toLowerCase().includes(wanted));
    rows.replaceChildren(...found.slice(0, MOST_LISTED).map(f => h('li', {}, h('button', {type: 'button', click: () => actions.openFence(f.id)},
      h('b', {}, fenceName(fences, f.id)), h('span', {}, describe(f))))));
    if (found.length > MOST_LISTED) rows.append(h('li', {class: 'empty'}, `and ${found.length - MOST_LISTED} more`));
    if (found.length === 0) rows.append(h('li', {class: 'empty'}, wanted === '' ? 'No fences yet. Draw the first one.' : 'No fence has this name.'));
  };
  const filter = h('input', {id: 'fence-filter', type: 'search', placeholder: 'Filter fences', 'aria-label': 'Filter fences', autocomplete: 'off', input: () => fill(filter.value)});
  fill('');
  return [
    h('div', {class: 'row new-fence', role: 'group', 'aria-label': 'New fence'},
      ...KINDS.map(kind => h('button', {type: 'button', class: 'button small', 'data-new': kind, click: () => actions.newFence(kind)}, icon(kind), NAMES[kind]))),
    h('div', {class: 'row'}, filter), rows,
  ];
}

function describe(fence: Fence): string {
  const p = fence.properties ?? {};
  if (p.follows) return `follows ${p.follows}`;
  const shape = p.radius_metres ? `circle, ${p.radius_metres} m` : p.width_metres ? `corridor, ${p.width_metres} m wide` : 'polygon';
  return p['schedule'] ? `${shape}, scheduled` : shape;
}

function details(fence: Fence, actions: Actions, stops: (() => void)[]): Node[] {
  const inside = h('div', {class: 'inside', 'aria-live': 'polite'}), tried = h('div', {class: 'tried', 'aria-live': 'polite'});
  stops.push(store.watch(s => s.inside, vehicles => {
    inside.replaceChildren(h('h3', {}, vehicles ? `Inside now: ${vehicles.total}` : 'Inside now'), vehicles === null ? h('p', {class: 'empty'}, 'Asking …')
      : h('ul', {class: 'tags'}, ...vehicles.names.map(name => h('li', {}, h('button', {type: 'button', click: () => actions.select(name, true)}, name)))));
  }));
  stops.push(store.watch(s => s.backtest, result => {
    tried.replaceChildren(...(result === null ? [] : typeof result === 'string' ? [h('p', {role: 'status'}, result)]
      : [h('p', {role: 'status'}, result.length === 0 ? 'No events in this time.' : `${result.length} events`),
        h('ol', {class: 'events events-short'}, ...result.slice(0, 100).map(e => eventRow(e, actions, true)))]));
  }));
  const now = Date.now(), local = (ms: number) => new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  const from = h('input', {id: 'backtest-from', type: 'datetime-local', value: local(now - 3_600_000)}), to = h('input', {id: 'backtest-to', type: 'datetime-local', value: local(now)});
  const certain = h('button', {type: 'button', class: 'button danger', id: 'fence-delete-sure', hidden: true, click: () => actions.deleteFence(fence)}, 'Delete it for good');
  const problem = h('p', {class: 'problem', role: 'alert'});
  stops.push(store.watch(s => s.fenceProblem, text => (problem.textContent = text ?? '')));
  return [
    h('div', {class: 'card-head'}, h('button', {type: 'button', class: 'icon-button', 'aria-label': 'All fences', title: 'All fences', click: () => actions.openFence(null)}, icon('left')),
      h('h2', {}, fence.properties?.name || fence.id)),
    h('div', {class: 'card-body'},
      h('p', {class: 'state-line'}, h('span', {}, describe(fence)), h('span', {class: 'mono'}, fence.id)),
      h('div', {class: 'row'},
        h('button', {type: 'button', class: 'button small', id: 'fence-edit', click: () => actions.editFence(fence)}, 'Edit'),
        h('button', {type: 'button', class: 'button small', click: () => actions.showFence(fence)}, 'Show'),
        h('button', {type: 'button', class: 'button small', id: 'fence-delete', click: () => (certain.hidden = !certain.hidden)}, 'Delete'), certain),
      problem, inside,
      h('h3', {}, 'Back-test'), h('p', {class: 'soft'}, 'What this fence would have seen in the past.'),
      h('div', {class: 'row'}, h('label', {class: 'field wide'}, 'From', from), h('label', {class: 'field wide'}, 'To', to)),
      h('div', {class: 'row'}, h('button', {type: 'button', class: 'button small', id: 'backtest', click: () => actions.backtest(fence, new Date(from.value), new Date(to.value))}, 'Run the back-test')),
      tried),
  ];
}

function form(initial: Draft, actions: Actions, stops: (() => void)[]): Node[] {
  const draft = () => store.get().draft!;
  const set = (change: Partial<Draft>) => actions.draft(change);
  let named = initial.version !== undefined || initial.id !== '';
  const taken = new Set(store.get().fences.map(f => f.id));
  const id = h('input', {id: 'fence-id', value: initial.id, required: true, maxlength: 128, ...(initial.version === undefined ? {} : {readonly: true}), input: () => {
    named = id.value !== '';
    set({id: id.value});
  }});
  const name = h('input', {id: 'fence-name', value: initial.name, autocomplete: 'off', input: () => {
    if (!named) id.value = idFor(name.value, taken);
    set({name: name.value, id: id.value});
  }});
  const number = (key: string, label: string, value: number | null, change: (v: number | null) => void, hint = '') => {
    const input = h('input', {id: key, type: 'number', min: 0, step: 'any', inputmode: 'decimal', placeholder: hint, ...(value === null ? {} : {value}), input: () => change(input.value === '' ? null : Number(input.value))});
    return h('label', {class: 'field'}, label, input);
  };
  const text = h('textarea', {id: 'fence-geometry', rows: 4, spellcheck: 'false', class: 'mono', 'aria-label': 'Shape as GeoJSON', change: () => {
    try {
      actions.draft({geometry: parseGeometry(text.value, initial.kind)}, true);
    } catch (problem) {
      store.set({fenceProblem: problem instanceof Error ? problem.message : String(problem)});
    }
  }}, initial.geometry ? JSON.stringify(initial.geometry) : '');
  const size = initial.kind === 'circle' ? number('fence-radius', 'Radius (m)', initial.radiusMetres, v => actions.draft({radiusMetres: v ?? NaN}, true))
    : initial.kind === 'corridor' ? number('fence-width', 'Width (m)', initial.widthMetres, v => set({widthMetres: v ?? NaN})) : null;
  const how = h('p', {class: 'how', role: 'status'}), problem = h('p', {class: 'problem', role: 'alert'});
  stops.push(
    store.watch(s => s.draft?.geometry, geometry => {
      how.textContent = geometry ? 'Drag its points on the map to change it.' : HOW[initial.kind];
      if (geometry && document.activeElement !== text) text.value = JSON.stringify(geometry);
    }),
    store.watch(s => s.draft?.radiusMetres, metres => {
      const input = size?.querySelector('input');
      if (initial.kind === 'circle' && input && document.activeElement !== input && metres !== undefined) input.value = String(metres);
    }),
    store.watch(s => s.fenceProblem, said => (problem.textContent = said ?? '')),
  );
  const save = (event: Event) => {
    event.preventDefault();
    const fault = faultOf(draft());
    if (fault !== '') return store.set({fenceProblem: fault});
    actions.saveFence();
  };
  const events = h('div', {class: 'checks'}, ...EVENT_TYPES.slice(0, 4).map(type => {
    const box = h('input', {type: 'checkbox', ...(initial.events.length === 0 || initial.events.includes(type) ? {checked: true} : {}), change: () => {
      const on = [...events.querySelectorAll('input')].map((b, i) => (b.checked ? EVENT_TYPES[i]! : '')).filter(t => t !== '');
      set({events: on.length === 4 ? [] : on});
    }});
    return h('label', {class: 'check'}, box, type);
  }));
  return [
    h('div', {class: 'card-head'}, h('h2', {}, initial.version === undefined ? `New ${NAMES[initial.kind].toLowerCase()}` : 'Edit fence')),
    h('form', {class: 'card-body fence-form', id: 'fence-form', novalidate: true, submit: save},
      how, h('label', {class: 'field'}, 'Name', name), h('label', {class: 'field'}, 'Id', id), size,
      h('div', {class: 'row'}, number('fence-dwell', 'Dwell after (s)', initial.dwellSeconds, v => set({dwellSeconds: v}), 'none'),
        number('fence-margin', 'Exit margin (m)', initial.exitMarginMetres, v => set({exitMarginMetres: v}), 'usual')),
      h('fieldset', {class: 'fields'}, h('legend', {}, 'Events'), events),
      scheduleEditor(initial.schedule, schedule => set({schedule})),
      h('details', {}, h('summary', {}, 'Shape as text'), text),
      problem,
      h('div', {class: 'row'}, h('button', {type: 'submit', class: 'button primary', id: 'fence-save'}, 'Save'),
        h('button', {type: 'button', class: 'button', id: 'fence-cancel', click: () => actions.cancelFence()}, 'Cancel'))),
  ];
}

import type {Fleet} from '../fleet.ts';
import type {Actions} from './actions.ts';
import {h} from './dom.ts';
import {count, heading, speed} from './format.ts';

const MOST = 300;

/** The fleet as a table, where there is no map. Returns how to show what the fleet is now. */
export function fleetList(actions: Actions): {root: HTMLElement; show(fleet: Fleet, inAll: number): void} {
  const body = h('tbody'), rest = h('p', {class: 'soft'});
  const root = h('div', {class: 'fleet-list', tabindex: '0', role: 'region', 'aria-label': 'Vehicles'},
    h('table', {}, h('thead', {}, h('tr', {}, ...['Vehicle', 'State', 'Speed', 'Heading'].map(t => h('th', {scope: 'col'}, t)))), body), rest);
  const rows = new Map<string, {row: HTMLElement; cells: HTMLElement[]}>();
  return {
    root,
    show(fleet, inAll) {
      const names: [string, number][] = [];
      for (let row = 0; row < fleet.count; row++) {
        const name = fleet.nameOf(row);
        if (name !== undefined) names.push([name, row]);
      }
      names.sort(([a], [b]) => (a < b ? -1 : 1)).splice(MOST);
      const keep = new Set(names.map(([name]) => name));
      for (const [name, {row}] of rows) if (!keep.has(name)) {
        row.remove();
        rows.delete(name);
      }
      names.forEach(([name, at], i) => {
        let known = rows.get(name);
        if (!known) {
          const cells = [h('td', {}), h('td', {}), h('td', {})];
          known = {cells, row: h('tr', {}, h('th', {scope: 'row'}, h('button', {type: 'button', click: () => actions.select(name, false)}, name)), ...cells)};
          rows.set(name, known);
        }
        const mps = fleet.speedDms[at]!;
        [fleet.stateOf(at), speed(mps === 65535 ? null : mps / 10), heading(fleet.headingDegrees(at))].forEach((text, c) => {
          if (known.cells[c]!.textContent !== text) known.cells[c]!.textContent = text;
        });
        if (body.children[i] !== known.row) body.insertBefore(known.row, body.children[i] ?? null);
      });
      rest.textContent = inAll > names.length ? `${count(names.length)} of ${count(inAll)} vehicles; search finds the others.` : '';
    },
  };
}

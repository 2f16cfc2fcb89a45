import {DAYS, newSchedule, type Schedule} from '../fences/draft.ts';
import {h, icon} from './dom.ts';

const LABEL: Record<string, string> = {mon: 'Mo', tue: 'Tu', wed: 'We', thu: 'Th', fri: 'Fr', sat: 'Sa', sun: 'Su'};
const NAME: Record<string, string> = {mon: 'Monday', tue: 'Tuesday', wed: 'Wednesday', thu: 'Thursday', fri: 'Friday', sat: 'Saturday', sun: 'Sunday'};

/** When a fence counts. Tells of every change with the whole schedule; null: always. */
export function scheduleEditor(initial: Schedule | null, changed: (schedule: Schedule | null) => void): HTMLElement {
  let schedule = initial ? structuredClone(initial) : null;
  const body = h('div', {class: 'schedule'});
  const tell = () => changed(schedule && structuredClone(schedule));
  const toggle = h('input', {type: 'checkbox', id: 'scheduled', ...(schedule ? {checked: true} : {}), change: () => {
    schedule = toggle.checked ? newSchedule() : null;
    show();
    tell();
  }});
  const show = () => body.replaceChildren(...(schedule ? rows(schedule, () => {
    show();
    tell();
  }, tell) : []));
  show();
  return h('fieldset', {class: 'fields'}, h('legend', {}, 'Schedule'), h('label', {class: 'check'}, toggle, 'Only at certain times'), body);
}

function rows(s: Schedule, again: () => void, tell: () => void): Node[] {
  const zone = h('input', {id: 'zone', value: s.zone, list: 'zones', autocomplete: 'off', change: () => {
    s.zone = zone.value.trim();
    tell();
  }});
  const zones = h('datalist', {id: 'zones'}, ...Intl.supportedValuesOf('timeZone').map(z => h('option', {value: z})));
  const remove = (label: string, act: () => void) => h('button', {type: 'button', class: 'icon-button small', 'aria-label': label, title: label, click: () => {
    act();
    again();
  }}, icon('close'));
  const text = (type: string, label: string, value: string, set: (v: string) => void) => {
    const input = h('input', {type, value, 'aria-label': label, change: () => {
      set(input.value);
      tell();
    }});
    return input;
  };
  const weekly = s.weekly.map((hours, i) => h('li', {class: 'hours'},
    h('div', {class: 'days', role: 'group', 'aria-label': 'Days'}, ...DAYS.map(day => {
      const button = h('button', {type: 'button', class: 'day', 'aria-pressed': String(hours.days.includes(day)), 'aria-label': NAME[day]!, click: () => {
        hours.days = DAYS.filter(d => (d === day ? !hours.days.includes(d) : hours.days.includes(d)));
        button.setAttribute('aria-pressed', String(hours.days.includes(day)));
        tell();
      }}, LABEL[day]!);
      return button;
    })),
    text('time', 'From', hours.from, v => (hours.from = v)), h('span', {'aria-hidden': 'true'}, '–'), text('time', 'To', hours.to, v => (hours.to = v)),
    remove('Remove these hours', () => s.weekly.splice(i, 1))));
  const dates = s.dates.map((d, i) => h('li', {class: 'hours'},
    text('date', 'First day', d.from, v => (d.from = v)), h('span', {'aria-hidden': 'true'}, '–'), text('date', 'Last day', d.to, v => (d.to = v)),
    remove('Remove these dates', () => s.dates.splice(i, 1))));
  const add = (label: string, act: () => void) => h('button', {type: 'button', class: 'button small', click: () => {
    act();
    again();
  }}, icon('plus'), label);
  return [
    h('label', {class: 'field'}, 'Time zone', zone), zones, h('ul', {}, ...weekly, ...dates),
    h('div', {class: 'row'}, add('Hours', () => s.weekly.push({days: [...DAYS], from: '08:00', to: '18:00'})), add('Dates', () => s.dates.push({from: today(), to: today()}))),
  ];
}

const today = () => new Date().toISOString().slice(0, 10);

import {describe, expect, it} from 'vitest';
import {EVENT_TYPES, type FleetEvent} from '../state.ts';
import {ago, distance, duration, GROUPS, groupOf, heading, phrase, speed} from './format.ts';

describe('words', () => {
  it.each([[null, '–'], [0, '0 m'], [999.4, '999 m'], [1500, '1.5 km'], [1_234_567, '1,235 km']])('distance %s: %s', (m, text) => expect(distance(m)).toBe(text));
  it.each([[null, '–'], [0, '0 km/h'], [10, '36 km/h']])('speed %s: %s', (v, text) => expect(speed(v)).toBe(text));
  it.each([[null, '–'], [0, 'N 0°'], [44, 'NE 44°'], [359.8, 'N 0°'], [180, 'S 180°']])('heading %s: %s', (d, text) => expect(heading(d)).toBe(text));
  it.each([[0, '0 s'], [59, '59 s'], [61, '1 min'], [3700, '1 h 1 min'], [200_000, '2 d']])('duration %s: %s', (s, text) => expect(duration(s)).toBe(text));
  it('ago', () => expect([ago(1000, 1500), ago(0, 65_000)]).toEqual(['now', '1 min ago']));

  it('has a phrase and a group for every type of event', () => {
    const fences = GROUPS['fences']!.types;
    for (const type of EVENT_TYPES) {
      const text = phrase({id: '1', type, vehicle: 'v', '@timestamp': ''} as FleetEvent, 'Depot');
      expect(text).not.toBe(type);
      expect(text.includes('Depot')).toBe(fences.includes(type));
      expect(groupOf(type)).not.toBe('other');
    }
  });

  it('says how long', () => {
    expect(phrase({id: '1', type: 'stop_ended', vehicle: 'v', '@timestamp': '', stop: {duration_seconds: 125}}, '')).toBe('drives on after 2 min');
    expect(phrase({id: '1', type: 'trip_ended', vehicle: 'v', '@timestamp': '', trip: {distance_metres: 2400}}, '')).toBe('ended a trip of 2.4 km');
  });
});

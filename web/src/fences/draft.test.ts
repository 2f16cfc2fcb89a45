import {describe, expect, it} from 'vitest';
import {circle} from '../map/fences.ts';
import type {Fence} from '../state.ts';
import {circleOf, draftOf, drawnShape, emptyDraft, faultOf, featureOf, idFor, newSchedule, parseGeometry} from './draft.ts';

const fence: Fence = {
  type: 'Feature', id: 'a', version: 7, geometry: {type: 'Point', coordinates: [-73.99, 40.73]},
  properties: {name: 'A', radius_metres: 300, dwell_seconds: 60, events: ['enter'], schedule: {zone: 'UTC', weekly: [{days: ['mon'], from: '22:00', to: '06:00'}]}, colour: 'red'},
};

describe('a draft', () => {
  it('of a fence sends back what it was made of, and what it does not know', () => {
    expect(featureOf(draftOf(fence))).toEqual({
      type: 'Feature', id: 'a', geometry: fence.geometry,
      properties: {name: 'A', radius_metres: 300, dwell_seconds: 60, events: ['enter'], schedule: {zone: 'UTC', weekly: [{days: ['mon'], from: '22:00', to: '06:00'}], dates: []}, colour: 'red'},
    });
    expect(draftOf(fence)).toMatchObject({kind: 'circle', version: 7});
  });

  it('says what it lacks', () => {
    const draft = emptyDraft('polygon');
    expect(faultOf(draft)).toMatch(/Draw/);
    draft.geometry = {type: 'Polygon', coordinates: []};
    expect(faultOf(draft)).toMatch(/name/);
    draft.id = 'x';
    expect(faultOf(draft)).toBe('');
    draft.schedule = {...newSchedule(), weekly: []};
    expect(faultOf(draft)).toMatch(/schedule/);
    draft.schedule.dates = [{from: '2026-02-02', to: '2026-02-01'}];
    expect(faultOf(draft)).toMatch(/order/);
    draft.schedule.dates = [];
    draft.schedule.weekly = [{days: [], from: '08:00', to: '09:00'}];
    expect(faultOf(draft)).toMatch(/day/);
    expect(faultOf({...emptyDraft('circle'), geometry: fence.geometry, id: 'x', radiusMetres: 0})).toMatch(/radius/);
    expect(faultOf({...emptyDraft('corridor'), geometry: fence.geometry, id: 'x', widthMetres: NaN})).toMatch(/width/);
  });

  it('gets an id of its name', () => {
    expect(idFor('  East Depot (Nº 2) ', new Set())).toBe('east-depot-no-2');
    expect(idFor('!!', new Set(['fence']))).toBe('fence-2');
    expect(idFor('Übersee', new Set())).toBe('u-bersee');
  });

  it.each([[-73.99, 40.73, 350], [10, 60, 5000], [0, 0, 50]])('knows the circle at %d, %d again', (lon, lat, metres) => {
    const {centre, radiusMetres} = circleOf(circle([lon, lat], metres));
    expect(centre[0]).toBeCloseTo(lon, 3);
    expect(centre[1]).toBeCloseTo(lat, 2);
    expect(Math.abs(radiusMetres - metres) / metres).toBeLessThan(0.01);
  });

  it('is drawn where that is possible', () => {
    expect(drawnShape(draftOf(fence))?.mode).toBe('circle');
    expect(drawnShape({...emptyDraft('polygon'), geometry: {type: 'Polygon', coordinates: [[[0, 0], [1, 0], [1, 1.00000004], [0, 0]], [[0, 0]]]}})).toBeUndefined();
    expect(drawnShape({...emptyDraft('corridor'), geometry: {type: 'LineString', coordinates: [[0, 0], [1.00000004, 1]]}})?.geometry.coordinates).toEqual([[0, 0], [1, 1]]);
  });

  it('is read from text, and refuses another kind of shape', () => {
    expect(parseGeometry('{"type":"Point","coordinates":[1,2]}', 'circle')).toEqual({type: 'Point', coordinates: [1, 2]});
    expect(() => parseGeometry('{"type":"Point","coordinates":[1,2]}', 'polygon')).toThrow(/Polygon/);
    expect(() => parseGeometry('{"type":"Polygon"}', 'polygon')).toThrow();
    expect(() => parseGeometry('null', 'polygon')).toThrow();
  });
});

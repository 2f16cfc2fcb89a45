import {readFileSync} from 'node:fs';
import {describe, expect, it} from 'vitest';
import {contrast, DARK, LIGHT, rgb} from './palette.ts';

const css = readFileSync(new URL('../style.css', import.meta.url), 'utf8');

function variables(selector: string): Record<string, string> {
  const block = css.slice(css.indexOf(selector + ' {')).split('}')[0]!;
  return Object.fromEntries([...block.matchAll(/--([a-z-]+): (#[0-9a-f]{6});/g)].map(m => [m[1]!, m[2]!]));
}

const light = variables(':root'), dark = {...light, ...variables(':root[data-theme=dark]')};

describe.each([['light', LIGHT, light], ['dark', DARK, dark]] as const)('colours, %s', (_, palette, page) => {
  const against = (a: string, b: string) => contrast(rgb(a), rgb(b));

  it.each(['text', 'soft'])('text (%s) can be read on every ground', name => {
    for (const ground of ['ground', 'raised', 'sunken', 'accent-soft']) expect(against(page[name]!, page[ground]!)).toBeGreaterThanOrEqual(4.5);
  });

  it('buttons and states can be read', () => {
    expect(against(page['on-accent']!, page['accent']!)).toBeGreaterThanOrEqual(4.5);
    expect(against(page['danger']!, page['danger-soft']!)).toBeGreaterThanOrEqual(4.5);
    expect(against(page['warn']!, page['warn-soft']!)).toBeGreaterThanOrEqual(4.5);
  });

  it('names can be read on land and water', () => {
    for (const ground of [palette.land, palette.region, palette.airport]) expect(against(palette.label, ground)).toBeGreaterThanOrEqual(4.5);
    expect(against(palette.waterLabel, palette.water)).toBeGreaterThanOrEqual(4.5);
  });

  it('vehicles stand out from the land and from their outline', () => {
    for (const colour of Object.values(palette.vehicle)) {
      for (const ground of [palette.land, palette.region, palette.outline]) expect(against(colour, ground)).toBeGreaterThanOrEqual(3);
    }
  });
});

import type {VehicleState} from '../fleet.ts';

/** The colours of what is drawn; the page's own are in style.css. */
export interface Palette {
  water: string; region: string; land: string; shore: string; airport: string; runway: string;
  label: string; labelHalo: string; waterLabel: string;
  vehicle: Record<VehicleState, string>;
  outline: string;
  fence: string; lit: string; trail: string;
  /** From few to many. */
  ramp: readonly [string, string, string];
  cellText: readonly [dark: string, light: string];
}

export const LIGHT: Palette = {
  water: '#d3e0e8', region: '#eceae4', land: '#f8f6f1', shore: '#c3cbd0', airport: '#e3e4e8', runway: '#c4c8d0',
  label: '#56626d', labelHalo: '#f8f6f1', waterLabel: '#435f74',
  vehicle: {moving: '#1463d2', stopped: '#c86a08', silent: '#75808c'},
  outline: '#ffffff',
  fence: '#6a54c8', lit: '#4a30b8', trail: '#1463d2',
  ramp: ['#bcd9f2', '#3d8bd0', '#0c3f78'],
  cellText: ['#020508', '#ffffff'],
};

export const DARK: Palette = {
  water: '#0e151b', region: '#161f27', land: '#1c2730', shore: '#33424f', airport: '#24303b', runway: '#3a4855',
  label: '#93a3b1', labelHalo: '#121a21', waterLabel: '#6f8ca3',
  vehicle: {moving: '#4fb0ff', stopped: '#ffb347', silent: '#8794a1'},
  outline: '#0b1116',
  fence: '#8f7ff0', lit: '#c9beff', trail: '#4fb0ff',
  ramp: ['#1d3f5e', '#2f7fbd', '#9bd6ff'],
  cellText: ['#020508', '#ffffff'],
};

export type RGB = [number, number, number];

export function rgb(hex: string): RGB {
  const n = parseInt(hex.slice(1), 16);
  return [(n >> 16) & 255, (n >> 8) & 255, n & 255];
}

/** The ramp's colour at a part from 0 to 1. */
export function rampAt(ramp: Palette['ramp'], part: number): RGB {
  const at = Math.max(0, Math.min(1, part)) * 2, i = at < 1 ? 0 : 1;
  const low = rgb(ramp[i]!), high = rgb(ramp[i + 1]!);
  return low.map((v, c) => Math.round(v + (high[c]! - v) * (at - i))) as RGB;
}

/** The relative luminance of WCAG. */
export function luminance(colour: Readonly<RGB>): number {
  const [r, g, b] = colour.map(v => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4)) as RGB;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

export function contrast(a: Readonly<RGB>, b: Readonly<RGB>): number {
  const x = luminance(a), y = luminance(b);
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

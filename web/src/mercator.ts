/** Web Mercator, the world being the unit square with north up at y = 0. */
export const mercatorX = (lon: number) => (lon + 180) / 360;

export function mercatorY(lat: number): number {
  const s = Math.sin((Math.max(-85.051129, Math.min(85.051129, lat)) * Math.PI) / 180);
  return 0.5 - Math.log((1 + s) / (1 - s)) / (4 * Math.PI);
}

export const longitude = (x: number) => x * 360 - 180;
export const latitude = (y: number) => (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;

/** What of the world is on the screen. */
export interface View {
  /** The centre, in the unit square. */
  x: number;
  y: number;
  /** Pixels of the whole world's width. */
  world: number;
  width: number;
  height: number;
  zoom: number;
}

export const screenX = (view: View, x: number) => (x - view.x) * view.world + view.width / 2;
export const screenY = (view: View, y: number) => (y - view.y) * view.world + view.height / 2;

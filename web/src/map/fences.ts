import type {FeatureCollection, Geometry, Position} from 'geojson';
import type {Fence} from '../state.ts';

const EARTH_METRES = 6_371_008.8;

/** A ring round a point, 72 corners. */
export function circle([lon, lat]: readonly [number, number], metres: number): Position[] {
  const ring: Position[] = [];
  const d = metres / EARTH_METRES, phi = (lat * Math.PI) / 180;
  for (let i = 0; i <= 72; i++) {
    const bearing = (i * 2 * Math.PI) / 72;
    const y = Math.asin(Math.sin(phi) * Math.cos(d) + Math.cos(phi) * Math.sin(d) * Math.cos(bearing));
    const x = Math.atan2(Math.sin(bearing) * Math.sin(d) * Math.cos(phi), Math.cos(d) - Math.sin(phi) * Math.sin(y));
    ring.push([lon + (x * 180) / Math.PI, (y * 180) / Math.PI]);
  }
  return ring;
}

/** How a fence is drawn: a point with a radius as its circle; one that follows a vehicle not at all. */
export function drawnGeometry(fence: Fence): Geometry | undefined {
  if (fence.properties?.follows) return undefined;
  const radius = fence.properties?.radius_metres;
  if (fence.geometry.type === 'Point' && radius) {
    return {type: 'Polygon', coordinates: [circle(fence.geometry.coordinates as [number, number], radius)]};
  }
  return fence.geometry;
}

export function fenceCollection(fences: readonly Fence[]): FeatureCollection {
  const features: FeatureCollection['features'] = [];
  for (const fence of fences) {
    const geometry = drawnGeometry(fence);
    if (geometry) features.push({type: 'Feature', properties: {id: fence.id}, geometry});
  }
  return {type: 'FeatureCollection', features};
}

/** Every line of a geometry: rings, or the way itself. */
export function lines(geometry: Geometry): Position[][] {
  switch (geometry.type) {
    case 'Polygon': return geometry.coordinates;
    case 'MultiPolygon': return geometry.coordinates.flat();
    case 'LineString': return [geometry.coordinates];
    case 'MultiLineString': return geometry.coordinates;
    default: return [];
  }
}

/** What people call a fence; its id when it has no name or is not known. */
export function fenceName(fences: readonly Fence[], id: string): string {
  return fences.find(f => f.id === id)?.properties?.name || id;
}

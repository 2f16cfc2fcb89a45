import {MOST_AHEAD, STATES, type Fleet} from '../fleet.ts';
import {screenX, screenY, type View} from '../mercator.ts';
import {rgb, type Palette} from './palette.ts';

const VERTEX = `#version 300 es
layout(location=0) in vec2 a_from;
layout(location=1) in vec2 a_to;
layout(location=2) in vec2 a_time;
layout(location=3) in vec2 a_look;
uniform vec2 u_centre, u_scale;
uniform float u_now, u_size;
flat out float v_heading;
flat out int v_state;
void main() {
  float most = a_look.y == 0.0 ? ${MOST_AHEAD.toFixed(1)} : 1.0;
  float k = clamp((u_now - a_time.x) * a_time.y, 0.0, most);
  gl_Position = vec4((mix(a_from, a_to, k) - u_centre) * u_scale, 0.0, 1.0);
  v_state = int(a_look.y);
  v_heading = a_look.x == 255.0 || v_state != 0 ? -1.0 : a_look.x * 0.0246399423;
  gl_PointSize = v_heading < 0.0 ? u_size * 0.8 : u_size;
}`;

// An arrow with a notch that points along the heading; a dot without one; a ring for the silent.
const FRAGMENT = `#version 300 es
precision highp float;
flat in float v_heading;
flat in int v_state;
uniform vec3 u_colours[3];
uniform vec3 u_outline;
uniform float u_size;
out vec4 colour;
float side(vec2 p, vec2 a, vec2 b) {
  vec2 d = b - a;
  return ((p.x - a.x) * d.y - (p.y - a.y) * d.x) / length(d);
}
void main() {
  vec2 p = gl_PointCoord * 2.0 - 1.0;
  float size = u_size, d;
  if (v_heading >= 0.0) {
    float s = sin(v_heading), c = cos(v_heading);
    p = vec2(abs(p.x * c + p.y * s), p.y * c - p.x * s);
    d = max(side(p, vec2(0.0, -0.86), vec2(0.62, 0.74)), side(p, vec2(0.62, 0.74), vec2(0.0, 0.42)));
  } else {
    size *= 0.8;
    d = length(p) - 0.66;
  }
  float pixel = 2.0 / size;
  float edge = clamp(1.4 * pixel, 0.1, 0.26);
  float cover = clamp(0.5 - (d - edge) / pixel, 0.0, 1.0);
  if (cover <= 0.0) discard;
  vec3 inner = u_colours[v_state];
  if (v_state == 2) inner = mix(u_outline, inner, clamp(0.5 + (d + 0.34) / pixel, 0.0, 1.0));
  colour = vec4(mix(inner, u_outline, clamp(0.5 + d / pixel, 0.0, 1.0)), 1.0) * cover;
}`;

const STRIDE = 28;

/** Pixels of an arrow's box at a zoom. */
export function pointSize(zoom: number): number {
  const stops = [[8, 7], [10, 10], [12, 14], [14, 19], [16, 24], [19, 30]] as const;
  if (zoom <= stops[0][0]) return stops[0][1];
  for (let i = 1; i < stops.length; i++) {
    const [z0, s0] = stops[i - 1]!, [z1, s1] = stops[i]!;
    if (zoom <= z1) return s0 + ((s1 - s0) * (zoom - z0)) / (z1 - z0);
  }
  return stops[stops.length - 1]![1];
}

export function compile(gl: WebGL2RenderingContext, vertex: string, fragment: string): WebGLProgram {
  const program = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, vertex], [gl.FRAGMENT_SHADER, fragment]] as const) {
    const shader = gl.createShader(kind)!;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost()) {
    throw new Error(`a shader does not link: ${gl.getProgramInfoLog(program)}`);
  }
  return program;
}

/**
 * Draws the fleet with one call. Positions are uploaded when a frame comes; between frames the vertex shader moves them. They are
 * relative to an origin near the view, so that 32 bits are exact to a hundredth of a pixel.
 */
export class PointsLayer {
  private readonly program: WebGLProgram;
  private readonly array: WebGLVertexArrayObject;
  private readonly buffer: WebGLBuffer;
  private readonly at: Record<'centre' | 'scale' | 'now' | 'size' | 'colours' | 'outline', WebGLUniformLocation | null>;
  private origin: [number, number] = [0, 0];
  private epoch = 0;
  private count = 0;

  constructor(private readonly gl: WebGL2RenderingContext) {
    this.program = compile(gl, VERTEX, FRAGMENT);
    const uniform = (name: string) => gl.getUniformLocation(this.program, name);
    this.at = {
      centre: uniform('u_centre'), scale: uniform('u_scale'), now: uniform('u_now'), size: uniform('u_size'),
      colours: uniform('u_colours'), outline: uniform('u_outline'),
    };
    this.array = gl.createVertexArray();
    this.buffer = gl.createBuffer();
    gl.bindVertexArray(this.array);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    for (const [location, size, kind, offset] of [[0, 2, gl.FLOAT, 0], [1, 2, gl.FLOAT, 8], [2, 2, gl.FLOAT, 16], [3, 2, gl.UNSIGNED_BYTE, 24]] as const) {
      gl.enableVertexAttribArray(location);
      gl.vertexAttribPointer(location, size, kind, false, STRIDE, offset);
    }
  }

  upload(fleet: Fleet, view: View, nowMs: number): void {
    const data = new ArrayBuffer(fleet.count * STRIDE), floats = new Float32Array(data), bytes = new Uint8Array(data);
    this.origin = [view.x, view.y];
    this.epoch = nowMs;
    this.count = fleet.count;
    for (let i = 0; i < fleet.count; i++) {
      const f = (i * STRIDE) / 4;
      floats[f] = fleet.fromX[i]! - view.x;
      floats[f + 1] = fleet.fromY[i]! - view.y;
      floats[f + 2] = fleet.toX[i]! - view.x;
      floats[f + 3] = fleet.toY[i]! - view.y;
      floats[f + 4] = (fleet.startMs[i]! - nowMs) / 1000;
      floats[f + 5] = 1000 / fleet.durationMs[i]!;
      bytes[i * STRIDE + 24] = fleet.heading[i]!;
      bytes[i * STRIDE + 25] = fleet.status[i]!;
    }
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffer);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, data, this.gl.DYNAMIC_DRAW);
  }

  draw(view: View, palette: Palette, ratio: number, nowMs: number): void {
    const {gl, at} = this;
    if (this.count === 0) return;
    gl.useProgram(this.program);
    gl.bindVertexArray(this.array);
    this.place(view, nowMs);
    gl.uniform1f(at.size, pointSize(view.zoom) * ratio);
    gl.uniform3fv(at.colours, STATES.flatMap(s => rgb(palette.vehicle[s]).map(v => v / 255)));
    gl.uniform3fv(at.outline, rgb(palette.outline).map(v => v / 255));
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.drawArrays(gl.POINTS, 0, this.count);
  }

  private place(view: View, nowMs: number): void {
    const {gl, at} = this;
    gl.uniform2f(at.centre, view.x - this.origin[0], view.y - this.origin[1]);
    gl.uniform2f(at.scale, (2 * view.world) / view.width, (-2 * view.world) / view.height);
    gl.uniform1f(at.now, (nowMs - this.epoch) / 1000);
  }
}

/** Where a row is drawn, in pixels of the page. */
export function placeOf(fleet: Fleet, view: View, row: number, nowMs: number): [number, number] {
  return [screenX(view, fleet.drawnX(row, nowMs)), screenY(view, fleet.drawnY(row, nowMs))];
}

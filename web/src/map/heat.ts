import type {Fleet} from '../fleet.ts';
import type {View} from '../mercator.ts';
import {compile} from './points.ts';
import {rgb, type Palette} from './palette.ts';

const SPLAT_VERTEX = `#version 300 es
layout(location=0) in vec2 a_at;
uniform vec2 u_centre, u_scale;
uniform float u_size;
void main() {
  gl_Position = vec4((a_at - u_centre) * u_scale, 0.0, 1.0);
  gl_PointSize = u_size;
}`;

const SPLAT_FRAGMENT = `#version 300 es
precision highp float;
uniform float u_weight;
out vec4 heat;
void main() {
  vec2 p = gl_PointCoord * 2.0 - 1.0;
  float d = dot(p, p);
  if (d > 1.0) discard;
  heat = vec4(u_weight * exp(-4.5 * d));
}`;

const RAMP_VERTEX = `#version 300 es
out vec2 v_at;
void main() {
  v_at = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 2.0;
  gl_Position = vec4(v_at * 2.0 - 1.0, 0.0, 1.0);
}`;

const RAMP_FRAGMENT = `#version 300 es
precision highp float;
in vec2 v_at;
uniform sampler2D u_heat;
uniform vec3 u_ramp[3];
out vec4 colour;
void main() {
  float h = texture(u_heat, v_at).r;
  float part = 1.0 - exp(-h);
  vec3 c = part < 0.5 ? mix(u_ramp[0], u_ramp[1], part * 2.0) : mix(u_ramp[1], u_ramp[2], part * 2.0 - 1.0);
  float alpha = smoothstep(0.01, 0.2, part) * 0.85;
  colour = vec4(c * alpha, alpha);
}`;

/** The density of the newest positions: soft dots added up in a texture of half the size, then coloured. */
export class HeatLayer {
  private readonly splat: WebGLProgram;
  private readonly ramp: WebGLProgram;
  private readonly array: WebGLVertexArrayObject;
  private readonly buffer: WebGLBuffer;
  private readonly texture: WebGLTexture;
  private readonly target: WebGLFramebuffer;
  private readonly floats: boolean;
  private size = [0, 0];
  private origin = [0, 0];
  private count = 0;

  constructor(private readonly gl: WebGL2RenderingContext) {
    this.floats = gl.getExtension('EXT_color_buffer_float') !== null || gl.getExtension('EXT_color_buffer_half_float') !== null;
    this.splat = compile(gl, SPLAT_VERTEX, SPLAT_FRAGMENT);
    this.ramp = compile(gl, RAMP_VERTEX, RAMP_FRAGMENT);
    this.array = gl.createVertexArray();
    this.buffer = gl.createBuffer();
    this.texture = gl.createTexture();
    this.target = gl.createFramebuffer();
    gl.bindVertexArray(this.array);
    gl.bindBuffer(gl.ARRAY_BUFFER, this.buffer);
    gl.enableVertexAttribArray(0);
    gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 8, 0);
  }

  upload(fleet: Fleet, view: View): void {
    const data = new Float32Array(2 * fleet.count);
    this.origin = [view.x, view.y];
    this.count = fleet.count;
    for (let i = 0; i < fleet.count; i++) {
      data[2 * i] = fleet.toX[i]! - view.x;
      data[2 * i + 1] = fleet.toY[i]! - view.y;
    }
    this.gl.bindBuffer(this.gl.ARRAY_BUFFER, this.buffer);
    this.gl.bufferData(this.gl.ARRAY_BUFFER, data, this.gl.DYNAMIC_DRAW);
  }

  draw(view: View, palette: Palette, ratio: number): void {
    const {gl} = this, {drawingBufferWidth: width, drawingBufferHeight: height} = gl;
    if (this.count === 0) return;
    this.fit(width >> 1, height >> 1);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.target);
    gl.viewport(0, 0, width >> 1, height >> 1);
    gl.clearColor(0, 0, 0, 0);
    gl.clear(gl.COLOR_BUFFER_BIT);
    gl.useProgram(this.splat);
    gl.bindVertexArray(this.array);
    gl.uniform2f(gl.getUniformLocation(this.splat, 'u_centre'), view.x - this.origin[0]!, view.y - this.origin[1]!);
    gl.uniform2f(gl.getUniformLocation(this.splat, 'u_scale'), (2 * view.world) / view.width, (-2 * view.world) / view.height);
    gl.uniform1f(gl.getUniformLocation(this.splat, 'u_size'), 28 * ratio);
    gl.uniform1f(gl.getUniformLocation(this.splat, 'u_weight'), this.floats ? 0.14 : 0.06);
    gl.enable(gl.BLEND);
    gl.blendFunc(gl.ONE, gl.ONE);
    gl.drawArrays(gl.POINTS, 0, this.count);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.viewport(0, 0, width, height);
    gl.useProgram(this.ramp);
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    gl.uniform3fv(gl.getUniformLocation(this.ramp, 'u_ramp'), palette.ramp.flatMap(c => rgb(c).map(v => v / 255)));
    gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  private fit(width: number, height: number): void {
    const {gl} = this;
    if (this.size[0] === width && this.size[1] === height) return;
    this.size = [width, height];
    gl.bindTexture(gl.TEXTURE_2D, this.texture);
    const [inner, kind] = this.floats ? [gl.RGBA16F, gl.HALF_FLOAT] : [gl.RGBA8, gl.UNSIGNED_BYTE];
    gl.texImage2D(gl.TEXTURE_2D, 0, inner, width, height, 0, gl.RGBA, kind, null);
    for (const [name, value] of [
      [gl.TEXTURE_MIN_FILTER, gl.LINEAR], [gl.TEXTURE_MAG_FILTER, gl.LINEAR],
      [gl.TEXTURE_WRAP_S, gl.CLAMP_TO_EDGE], [gl.TEXTURE_WRAP_T, gl.CLAMP_TO_EDGE],
    ] as const) gl.texParameteri(gl.TEXTURE_2D, name, value);
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.target);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, this.texture, 0);
  }
}

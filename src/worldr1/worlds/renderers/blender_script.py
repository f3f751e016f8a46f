# mypy: ignore-errors
"""Renders handed-over scenes with Blender's Cycles; run by `blender.BlenderRenderer` in an environment of its own.

    python blender_script.py JOB...

A job is a folder with ``scene.json`` and ``scene.npz``; ``rendered.npz`` is written into it. Nothing of worldr1 is
imported here, and nothing of Blender anywhere else.
"""

import json
import math
import sys
from pathlib import Path

import bpy
import numpy as np
import OpenEXR
from mathutils import Matrix, Quaternion

FLIP = Matrix.Diagonal((1.0, -1.0, -1.0, 1.0))  # Blender's cameras look along -z, y up
SENSOR_MM = 36.0


def prepare(job):
    """An empty scene with everything in ``job`` that no frame changes."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y = job["width"], job["height"]
    scene.render.resolution_percentage = 100
    scene.render.film_transparent = True  # the sky is put behind later, and lights the scene here
    scene.render.use_persistent_data = True
    if job["threads"]:
        scene.render.threads_mode, scene.render.threads = "FIXED", job["threads"]
    scene.cycles.device = "CPU"
    scene.cycles.use_denoising = scene.cycles.use_adaptive_sampling = False
    scene.cycles.seed = 0
    scene.cycles.pixel_filter_type = "GAUSSIAN"
    if bpy.app.version >= (5, 0, 0):
        scene.render.image_settings.media_type = "MULTI_LAYER_IMAGE"
    scene.render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    scene.render.image_settings.color_depth = "32"
    layer = scene.view_layers[0]
    layer.use_pass_z = layer.use_pass_object_index = True
    scene.world = bpy.data.worlds.new("world")
    scene.world.use_nodes = True
    background = scene.world.node_tree.nodes["Background"]
    background.inputs["Color"].default_value = (*job["ambient"], 1.0)
    for light in job["lights"]:
        sun = bpy.data.lights.new("sun", "SUN")
        sun.energy, sun.color, sun.angle = math.pi, light["colour"], 2 * math.radians(light["softness_deg"])
        lamp = bpy.data.objects.new("sun", sun)
        lamp.matrix_world = Matrix(np.array(light["axes"]).T.tolist()).to_4x4()
        scene.collection.objects.link(lamp)
    camera = bpy.data.cameras.new("camera")
    camera.sensor_fit, camera.sensor_width = "HORIZONTAL", SENSOR_MM
    camera.clip_start, camera.clip_end = 1e-3, 1e5
    scene.camera = bpy.data.objects.new("camera", camera)
    scene.collection.objects.link(scene.camera)
    return scene


def image_of(pixels):
    """An image ``[h, w, 3]`` of bytes that are taken as linear."""
    height, width = pixels.shape[:2]
    image = bpy.data.images.new("image", width, height, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"
    rgba = np.ones((height, width, 4), np.float32)
    rgba[..., :3] = pixels[::-1] / np.float32(255)
    image.pixels.foreach_set(rgba.ravel())
    return image


def material_of(image, gloss):
    material = bpy.data.materials.new("material")
    material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    surface, texture = nodes["Principled BSDF"], nodes.new("ShaderNodeTexImage")
    texture.image = image
    links.new(texture.outputs["Color"], surface.inputs["Base Color"])
    surface.inputs["Roughness"].default_value = 1.0 - 0.7 * gloss
    surface.inputs["Specular IOR Level"].default_value = 0.5 * gloss
    return material


def add_piece(scene, piece, vertices, normals, uv, image):
    mesh = bpy.data.meshes.new("piece")
    mesh.from_pydata(vertices.tolist(), [], np.arange(len(vertices)).reshape(-1, 3).tolist())
    mesh.polygons.foreach_set("use_smooth", np.ones(len(vertices) // 3, bool))
    mesh.normals_split_custom_set(normals.tolist())
    mesh.uv_layers.new().data.foreach_set("uv", np.stack([uv[:, 0], 1 - uv[:, 1]], -1).ravel())
    mesh.materials.append(material_of(image, piece["gloss"]))
    thing = bpy.data.objects.new("piece", mesh)
    thing.pass_index = piece["pass_index"]
    thing.rotation_mode = "QUATERNION"
    scene.collection.objects.link(thing)
    return thing


def channels(path):
    """The channels of an EXR file by name, whatever parts they are in."""
    with OpenEXR.File(str(path), separate_channels=True) as file:
        return {name: np.array(c.pixels) for part in file.parts for name, c in part.channels.items()}


def only(found, *words):
    names = [n for n in found if any(w in n for w in words)]
    if len(names) != 1:
        raise SystemExit(f"one channel of {' or '.join(words)} expected, and there is {', '.join(found)}")
    return found[names[0]]


def shoot(scene, path, samples, filter_px, bounces):
    scene.cycles.samples, scene.cycles.filter_width, scene.cycles.max_bounces = samples, filter_px, bounces
    scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    found = channels(path)
    path.unlink()
    return found


def render(folder):
    job = json.loads((folder / "scene.json").read_text())
    arrays = np.load(folder / "scene.npz")
    scene = prepare(job)
    images = [image_of(arrays[f"image_{i}"]) for i in range(job["images"])]
    things = [
        add_piece(scene, p, arrays[f"vertices_{i}"], arrays[f"normals_{i}"], arrays[f"uv_{i}"], images[p["image"]])
        for i, p in enumerate(job["pieces"])
    ]
    c2w, focal = arrays["c2w"], arrays["focal"]
    shown, position, rotation = arrays["shown"], arrays["position"], arrays["rotation"]
    colour, depth, index = [], [], []
    for f in range(len(c2w)):
        for i, thing in enumerate(things):
            x, y, z, w = rotation[f, i]
            thing.location, thing.rotation_quaternion = position[f, i], Quaternion((w, x, y, z))
            thing.hide_render = not shown[f, i]
        scene.camera.matrix_world = Matrix(c2w[f].tolist()) @ FLIP
        scene.camera.data.lens = focal[f] * SENSOR_MM
        seen = shoot(scene, folder / "colour.exr", job["samples"], 1.5, 4)
        colour.append(np.stack([only(seen, f"Combined.{c}") for c in "RGBA"], -1))
        # depth and index are one sample's, so they are taken apart, where that sample is the pixel's centre
        exact = shoot(scene, folder / "truth.exr", 1, 0.01, 0)
        depth.append(only(exact, "Depth."))
        index.append(only(exact, "IndexOB.", "Object Index."))
    np.savez(folder / "rendered.npz", colour=np.stack(colour), depth=np.stack(depth), index=np.stack(index))


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        render(Path(argument))

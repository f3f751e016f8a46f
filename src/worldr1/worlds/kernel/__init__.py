"""The ray caster's Warp kernels: `layout` (structs), `primitives`, `textures`, `trace` (truth),
`shadows`, `shade` (colour).

They are compiled for the CPU or CUDA from the same source, and importing them loads Warp's runtime, which the rest
of the package does not need: import them where a picture is rendered.
"""

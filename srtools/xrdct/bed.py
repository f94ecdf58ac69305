"""A packed bed of catalyst particles, seen by micro-CT and by XRD-CT alike.

The bed is a rule, not an array: it says at any point which particle is there and what
it is made of, so that slices of any resolution and height fit together. Places are in
units of the image's half side: x and y run from -1 to 1 across the image, and z is in
the same unit.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from scipy.spatial import cKDTree

from srtools.xrdct.slices import ATTENUATION, COMPONENTS, BedSlice

SPACING = 0.24
"""Distance of the particles, about their diameter."""

TUBE = (0.90, 0.95)
"""Inner and outer radius of the tube."""

_BOXES = 9  # of a layer, along x and along y: they cover the tube
_NEIGHBOURS = 10  # that may share a face with a particle
_N_SPECKS = 10
_ALUMINA, _CERIA, _ZIRCONIA, _NICKEL, _PALLADIUM, _AMORPHOUS = range(6)


@dataclass(frozen=True)
class _Particles:
    """Arrays over the cells of the diagram, most of which hold a particle."""

    centre: np.ndarray  # (n, 3)
    gap: np.ndarray  # (n,) half the distance to a neighbour
    body: np.ndarray  # (n, 6) volume fractions inside
    rim: np.ndarray  # (n, 6) and within `thickness` of the surface
    thickness: np.ndarray
    lattice: np.ndarray  # (n, 6) relative to the phase's own
    crystallite: np.ndarray  # (n, 6) [nm]
    speck: np.ndarray  # (n, n_specks, 3) places
    speck_radius: np.ndarray  # (n, n_specks)
    speck_phase: np.ndarray  # (n, n_specks)
    solid: np.ndarray  # (n,) False for a hole, and for what lies behind the wall

    def take(self, chosen):
        """Keep some of the cells."""
        return _Particles(**{k: v[chosen] for k, v in vars(self).items()})


@dataclass(frozen=True)
class ParticleBed:
    """Angular particles in a tube, without end in z.

    The particles are the cells of a Voronoi diagram, each shrunk by its own gap: convex
    polyhedra that cannot overlap. They are alumina with some ceria and zirconia; most
    have a rim rich in nickel or palladium oxide, and all have specks of ceria,
    zirconia or palladium oxide. Density, lattice constants and crystallite sizes differ
    from particle to particle.

    Parameters
    ----------
    seed : int
        Two beds of the same seed are the same.

    References
    ----------
    .. [1] Vamvakeros et al., "5D operando tomographic diffraction imaging of a catalyst
       bed", Nat. Commun. 9 (2018) 4751, doi:10.1038/s41467-018-07046-8: a real bed of
       such materials.
    """

    seed: int = 0

    def micro_ct(self, z, size: int) -> np.ndarray:
        """Draw slices as an ideal micro-CT sees them.

        Parameters
        ----------
        z : array, shape (n,)
            Heights [half sides of the image].
        size : int
            Side of the images [pixels].

        Returns
        -------
        float32 array, shape (n, size, size)
            Attenuation, 0 to 1 [relative].

        Raises
        ------
        ValueError
            If the size is below 3 or a height is not finite.
        """
        grey = np.array(ATTENUATION, np.float32)
        slices = [self.phase_maps(height, size) for height in _heights(z, size)]
        return np.stack([np.tensordot(grey, maps, 1) for maps in slices])

    def phase_maps(self, z: float, size: int) -> np.ndarray:
        """Draw the volume fractions of a slice.

        The same as ``slice(z, size).phase_maps()``, but without the map of each part,
        of which a fine slice has hundreds.

        Parameters
        ----------
        z : float
            Height [half sides of the image].
        size : int
            Side of the maps [pixels].

        Returns
        -------
        float32 array, shape (6, size, size)
            In the order of `COMPONENTS`.

        Raises
        ------
        ValueError
            If the size is below 3 or the height is not finite.
        """
        (z,) = _heights([z], size)
        return self._fractions(z, size)[1]

    def slice(self, z: float, size: int) -> BedSlice:
        """Cut a slice into its parts.

        Parameters
        ----------
        z : float
            Height [half sides of the image].
        size : int
            Side of the maps [pixels].

        Returns
        -------
        BedSlice

        Raises
        ------
        ValueError
            If the size is below 3 or the height is not finite.
        """
        (z,) = _heights([z], size)
        owner, fractions, particles = self._fractions(z, size)
        parts = []
        for i in np.unique(owner):
            inside = owner == i
            for phase in range(len(COMPONENTS)):
                if fractions[phase, inside].any():
                    parts.append((i, phase))
        particle, phase = np.array(parts).T
        maps = np.stack(
            [np.where(owner == i, fractions[k], 0) for i, k in parts], dtype=np.float32
        )
        lattice = np.where(particle < 0, 1.0, particles.lattice[particle, phase])
        size_nm = np.where(particle < 0, 1.0, particles.crystallite[particle, phase])
        return BedSlice(maps, phase, lattice, size_nm)

    def _fractions(self, z, size):
        """Which particle is at each pixel (-1 for none), and the volume fractions."""
        particles = self._near(z)
        axis = np.linspace(-1, 1, size)
        radius = np.hypot(axis[:, None], axis[None, :])
        fractions = np.zeros((len(COMPONENTS), size, size), np.float32)
        owner = np.full((size, size), -1)
        fractions[_AMORPHOUS, (radius >= TUBE[0]) & (radius < TUBE[1])] = 1

        row, column = np.nonzero(radius < TUBE[0])
        points = np.stack([axis[column], axis[row], np.full(len(row), z)], 1)
        nearest, depth = _cells(points, particles)
        solid = (depth > 0) & particles.solid[nearest]
        points, nearest, depth = points[solid], nearest[solid], depth[solid]
        row, column = row[solid], column[solid]

        owner[row, column] = nearest
        rim = depth < particles.thickness[nearest]
        here = np.where(rim[:, None], particles.rim[nearest], particles.body[nearest])
        away = np.linalg.norm(points[:, None] - particles.speck[nearest], axis=-1)
        in_speck = away < particles.speck_radius[nearest]
        where = np.flatnonzero(in_speck.any(1))
        which = in_speck[where].argmax(1)
        here[where] = 0
        here[where, particles.speck_phase[nearest[where], which]] = 0.9
        fractions[:, row, column] = here.T
        return owner, fractions, particles

    def _near(self, z):
        """All particles that can matter at a height."""
        middle = int(np.floor(z / SPACING))
        return _join([_draw(self.seed, k) for k in range(middle - 3, middle + 4)])


def _heights(z, size):
    z = np.asarray(z, np.float64)
    if size < 3 or not np.isfinite(z).all():
        raise ValueError(
            "expected at least 3 pixels and finite heights, "
            f"received {size} pixels and {z}"
        )
    return z


@lru_cache(maxsize=64)
def _draw(seed, k):
    """Draw the particles whose centres lie in the k-th layer of boxes."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2**31 + k,)))
    box = np.stack(np.meshgrid(*[np.arange(_BOXES) - _BOXES // 2] * 2), -1).reshape(
        -1, 2
    )
    centre = np.column_stack([box + (k % 2) / 2, np.full(len(box), k + 0.5)])
    centre = SPACING * (centre + rng.uniform(-0.42, 0.42, centre.shape))
    n = len(centre)

    density = rng.uniform(0.5, 0.85, n)
    body = np.zeros((n, len(COMPONENTS)), np.float32)
    body[:, _ALUMINA] = density
    body[:, _CERIA] = rng.uniform(0.02, 0.06, n)
    body[:, _ZIRCONIA] = rng.uniform(0.01, 0.04, n)
    body[:, _AMORPHOUS] = 0.05
    metal = rng.choice([_NICKEL, _PALLADIUM], n, p=[0.75, 0.25])
    amount = np.where(metal == _NICKEL, 0.45, 0.25) * rng.uniform(0.6, 1.0, n)
    amount *= rng.random(n) < 0.85  # some particles have no rim
    rim = body * (1 - amount.astype(np.float32))[:, None]
    rim[np.arange(n), metal] += amount.astype(np.float32)

    crystallite = np.ones((n, len(COMPONENTS)))
    crystallite[:, :-1] = rng.uniform([10, 6, 6, 8, 6], [25, 14, 14, 25, 14], (n, 5))
    lattice = np.ones((n, len(COMPONENTS)))
    spread = [0.0005, 0.002, 0.002, 0.001, 0.001]  # ceria and zirconia mix
    lattice[:, :-1] += rng.uniform(-1, 1, (n, 5)) * spread

    speck = centre[:, None] + rng.normal(0, SPACING / 5, (n, _N_SPECKS, 3))
    particles = _Particles(
        centre=centre,
        gap=SPACING * rng.uniform(0.02, 0.09, n),
        body=body,
        rim=rim,
        thickness=SPACING * rng.uniform(0.04, 0.14, n),
        lattice=lattice,
        crystallite=crystallite,
        speck=speck,
        speck_radius=SPACING * rng.uniform(0.03, 0.14, (n, _N_SPECKS)),
        speck_phase=rng.choice(
            [_CERIA, _ZIRCONIA, _PALLADIUM], (n, _N_SPECKS), p=[0.5, 0.3, 0.2]
        ),
        solid=rng.random(n) > 0.05,
    )
    radius = np.hypot(*centre[:, :2].T)
    inner = particles.take(radius < TUBE[0] - 0.2 * SPACING)
    # Behind the wall stands the mirror image of each particle: the face between the two
    # is tangential to the wall.
    radius = np.hypot(*inner.centre[:, :2].T)
    behind = inner.centre.copy()
    behind[:, :2] *= (2 * TUBE[0] / np.maximum(radius, 1e-3) - 1)[:, None]
    outer = replace(inner, centre=behind, solid=np.zeros(len(behind), bool))
    outer = outer.take(radius > TUBE[0] - 2 * SPACING)
    return _join([inner, outer])


def _join(parts):
    """Put sets of particles one after the other."""
    names = vars(parts[0])
    return _Particles(
        **{k: np.concatenate([getattr(part, k) for part in parts]) for k in names}
    )


def _cells(points, particles):
    """The cell that each point is in, and how deep inside its particle it lies."""
    tree = cKDTree(particles.centre)
    away, index = tree.query(points, k=_NEIGHBOURS)
    own = particles.centre[index[:, :1]]
    apart = np.linalg.norm(particles.centre[index[:, 1:]] - own, axis=-1)
    to_face = (away[:, 1:] ** 2 - away[:, :1] ** 2) / (2 * apart)
    return index[:, 0], to_face.min(1) - particles.gap[index[:, 0]]

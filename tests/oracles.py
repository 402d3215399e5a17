"""The design text's own loops, kept slow and readable: what the fast code is compared with.

From its sections 5.2 (resonance of tokens), 5.3 (boundary) and 8.4 (field-aware context), with the embedding calls
taken out: they get rows of numbers in place of texts. Nothing here is vectorised on purpose.
"""

from __future__ import annotations

import math
import random

import numpy as np

from fieldpack.relevance.repeats import Statement, repeat_share


def cosine_similarity(a, b):
    return sum(float(p) * float(q) for p, q in zip(a, b, strict=True)) / (
        math.sqrt(sum(float(p) ** 2 for p in a)) * math.sqrt(sum(float(q) ** 2 for q in b))
    )


def measure_token_resonance(embeddings):
    """5.2: all pairs, then their mean without the diagonal."""
    n = len(embeddings)
    resonance_matrix = np.zeros((n, n))
    for i in range(n):
        for j in range(n):
            resonance_matrix[i][j] = cosine_similarity(embeddings[i], embeddings[j])
    overall_resonance = (resonance_matrix.sum() - n) / (n * (n - 1))
    return overall_resonance, resonance_matrix


def calculate_resonance(embeddings):
    """8.4: the mean over pairs i < j; 0.0 for fewer than two sections."""
    if len(embeddings) <= 1:
        return 0.0
    similarities = []
    for i in range(len(embeddings)):
        for j in range(i + 1, len(embeddings)):
            similarities.append(cosine_similarity(embeddings[i], embeddings[j]))
    return float(np.mean(similarities))


def average_similarities(embeddings):
    """8.4, inside detect_attractors: mean similarity of each section to the others."""
    averages = []
    for i, embedding in enumerate(embeddings):
        similarities = [cosine_similarity(embedding, other) for j, other in enumerate(embeddings) if i != j]
        averages.append(float(np.mean(similarities)) if similarities else 0.0)
    return averages


def detect_attractors(embeddings, threshold=0.8):
    """8.4: the sections whose mean similarity to the others is above an absolute threshold."""
    return [i for i, average in enumerate(average_similarities(embeddings)) if average > threshold]


def apply_boundary_control(chunk_embeddings, context_embedding, threshold=0.7):
    """5.3: the chunks whose similarity to the context is above an absolute threshold."""
    kept = []
    for i, chunk in enumerate(chunk_embeddings):
        if cosine_similarity(context_embedding, chunk) > threshold:
            kept.append(i)
    return kept


def update_field_state(field_state, new_resonance):
    """8.4: smoothed resonance, then a whole step of the gradient up or down, clamped to [0.1, 0.9]."""
    field_state["resonance"] = field_state["resonance"] * 0.7 + new_resonance * 0.3
    if new_resonance > field_state["resonance"]:
        field_state["permeability"] += field_state["gradient"]
    else:
        field_state["permeability"] -= field_state["gradient"]
    field_state["permeability"] = max(0.1, min(0.9, field_state["permeability"]))
    return field_state


def filter_by_attractor_relevance(embeddings, attractors, permeability, threshold=0.6, rng=random):
    """8.4: near an attractor, or let in by a die."""
    kept = []
    for i, embedding in enumerate(embeddings):
        max_similarity = max(cosine_similarity(embedding, a) for a in attractors)
        if max_similarity > threshold or rng.random() < permeability:
            kept.append(i)
    return kept


def mean_shift(rows, start, beta, bias, steps=500):
    """The fixed point below `start`, one row at a time, in float64."""
    z = np.array(start, np.float64)
    z /= np.linalg.norm(z)
    for _ in range(steps):
        weights = [math.exp(beta * float(np.dot(z, row)) - beta) for row in rows]
        total = sum(weights)
        after = np.array(bias, np.float64)
        for weight, row in zip(weights, rows, strict=True):
            after = after + weight / total * np.array(row, np.float64)
        after /= np.linalg.norm(after)
        if np.abs(after - z).max() < 1e-9:
            break
        z = after
    return z


def repeats_by_words(words, offsets):
    """The rule for repeats over rows of bare words, none of which is a number or a denial: for `Couplings.repeats`."""
    vocabulary = ["word"] * (int(max(words, default=0)) + 1)

    def statement(row):
        return Statement.of(np.asarray(words[offsets[row] : offsets[row + 1]], np.int64), vocabulary)

    def shares(row, others):
        return np.array([repeat_share(statement(row), statement(k)) for k in others.tolist()], np.float32)

    return shares

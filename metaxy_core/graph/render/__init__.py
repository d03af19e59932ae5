"""Renderers turn a graph, or the diff of two, into text: Mermaid, DOT, JSON or a terminal's."""

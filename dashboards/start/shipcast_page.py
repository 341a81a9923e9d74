"""What Streamlit runs for every viewer, at every change; alone in its folder, which goes first on the import path."""

from shipcast.dashboards.frame import draw

draw()

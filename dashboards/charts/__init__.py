"""Charts of what answers say, in Altair, a file a page; colours and marks as everywhere on the page."""

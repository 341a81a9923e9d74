"""What each verb says, computed once; the command line, the pages and the notebook only lay it out."""

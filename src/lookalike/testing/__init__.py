"""Contract suites that every table entry passes, shipped so that authors of plug-ins can run them too."""

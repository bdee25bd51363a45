"""Who does the work that is done layer by layer or file by file: this process, others here, or a Dask cluster."""

"""`python -m lebm_tf.mcmc`: the command of `lebm_tf.long_chains`.

It is run by name, because this package imports nothing from those above it.
"""

import runpy

if __name__ == "__main__":
    runpy.run_module("lebm_tf.long_chains", run_name="__main__")

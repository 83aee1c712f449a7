"""`python -m lebm_tf.mcmc`: the command of `lebm_tf.long_chains`.

By its name, as this room imports nothing from those above it.
"""

import runpy

if __name__ == "__main__":
    runpy.run_module("lebm_tf.long_chains", run_name="__main__")

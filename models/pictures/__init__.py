"""From sound and a still to moving pictures: animator, pose, limbs, painter."""

import { CustomOptimizer, type CustomStep } from '../../src/index.js';

/** Polyak's heavy ball, with options that make it fail. */
export default class HeavyBall extends CustomOptimizer {
  static override readonly defaults = { lr: 0.5, momentum: 0.5, throws: false, hangs: false };
  static override readonly slots = ['velocity'];

  override update({ gradient, weight, slots, lr, wd, options }: CustomStep): void {
    const velocity = slots['velocity']!;
    velocity.mul_(options['momentum'] as number).add_(gradient.add_(weight, wd), -lr);
    weight.add_(velocity);
    while (options['hangs'] === true);
    if (options['throws'] === true) throw new Error('no more');
  }
}

/** Not an updater module: its default export is no function. */
export default { add: 1 };
